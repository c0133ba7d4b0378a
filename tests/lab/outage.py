"""What clients behind a router lose while something happens to one of the relays that share an address.

    python -m tests.lab.outage up NAME --relay bookworm --relay bookworm --relay trixie
    python -m tests.lab.outage killed NAME
    python -m tests.lab.outage watch NAME -- COMMAND …

Clients of 64 VLANs ask meanwhile, over IPv4 and IPv6 at once. `tests.lab down NAME` removes it all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.lab.anycast import CORE, CORE6, RELAYS, SERVERS, SERVERS6, AnycastNetwork, place_of, wait_for
from tests.lab.command import CommandError
from tests.lab.crossing import cross
from tests.lab.helper import asking, loss
from tests.lab.image import PACKAGES, RELEASES, fresh, wheelhouse
from tests.lab.network import Host, Lab, LabError
from tests.lab.podman import HOME
from tests.lab.relayhost import PXERELAY, RelayHost
from tests.lab.stage import Progress, alone, down

RATE = 300
"""Requests a second, of each family."""

_SLOWLY = 100
"""The same where it takes minutes."""

VICTIM = "relay2"
"""Who something happens to."""

BIRD = "bird2"
"""What the role installs."""

_FAVOURED = -10
"""How nice router, servers and clients are: what is measured is in hundredths of a second."""

_SHARES, _WEIGHT = 20480, 2000
"""What the relay hosts weigh together, in control groups of version 1 and 2; one process: 1024, 100."""

_BEFORE, _AFTER = 1.0, 3.0
"""Seconds for which clients ask before something happens, and after it is over."""


class Stage:
    """A lab that stands, with the role's work done on its relays."""

    def __init__(self, name: str) -> None:
        self.network = AnycastNetwork(Lab.existing(name))
        self.victim = RelayHost(name, VICTIM)
        self._link = Host(self.network.lab, VICTIM)

    def drained(self) -> int:
        """Count the relays that are out of rotation, by the mark of the daemon on the host's disk."""
        pids = [(HOME / f"pxr-{self.network.lab.name}-{relay}.pid").read_text().strip() for relay in RELAYS]
        return sum(Path("/proc", pid, "root/var/lib/pxerelay/control.drained").exists() for pid in pids)

    def settled(self) -> None:
        """Wait until the router spreads over all relays that are not drained."""
        self.network.settled(len(RELAYS) - self.drained())

    def withdrawn(self) -> float:
        """Wait until the router sends nothing to one of the relays any more, in either family."""
        return wait_for(lambda: max(map(len, self.network.announced())) < len(RELAYS), self.network.announced)

    def killed(self) -> None:
        """Kill the daemon; systemd starts it anew."""
        self.victim.run("systemctl", "kill", "--signal=KILL", "pxerelay.service")

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Have the daemon hang."""
        pid = str(self.victim.main_pid("pxerelay.service"))
        self.victim.run("kill", "-STOP", pid)
        try:
            yield
        finally:
            self.victim.run("kill", "-CONT", pid)

    @contextmanager
    def power_off(self) -> Iterator[None]:
        """Take the power from a relay host; its link goes first, so that it can tell nobody."""
        self._link.detach("core")
        try:
            yield
        finally:
            self.victim.kill()
            self.network.plug_in(self._link)
            self.victim.start_again()

    @contextmanager
    def without_bfd(self) -> Iterator[None]:
        """Have the router watch nobody by BFD for a while."""
        self.network.frr().stop()
        self.network.frr(bfd=False).start()
        try:
            self.network.settled()
            yield
        finally:
            self.network.frr().stop()
            self.network.frr().start()

    def way_lost(self) -> AbstractContextManager[None]:
        """Drop what a relay sends to servers; its kernel has a route to them all the same."""
        core, core6 = CORE[place_of(VICTIM)], CORE6[place_of(VICTIM)]
        return self.network.cut(f"from {core} to {SERVERS}", f"from {core6} to {SERVERS6}")

    @contextmanager
    def no_route(self) -> Iterator[None]:
        """Have no route lead from a relay to any server."""
        self._link.ip(f"route add unreachable {SERVERS}", f"route add unreachable {SERVERS6}")
        try:
            yield
        finally:
            self._link.ip(f"route del {SERVERS}", f"route del {SERVERS6}")

    def drained_restart(self) -> None:
        """Restart the daemon as an administrator does by hand: out of rotation first."""
        self.victim.run(PXERELAY, "drain")
        self.withdrawn()
        self.victim.run("systemctl", "restart", "pxerelay.service")
        self.victim.run(PXERELAY, "undrain")

    def restart(self) -> None:
        """Restart the daemon without a thought."""
        self.victim.run("systemctl", "restart", "pxerelay.service")


def passing(stage: Stage, do: Callable[[], None]) -> dict[str, Any]:
    """Tell what clients lose by what is over by itself, until the router spreads over all relays again."""
    told: dict[str, Any] = {}
    with _asking(stage, told):
        do()
        time.sleep(_AFTER)
        stage.network.settled()
    return told


def lasting(stage: Stage, do: Callable[[], AbstractContextManager[None]]) -> dict[str, Any]:
    """Tell what clients lose by what lasts, and after how many seconds the router sends nothing there."""
    told: dict[str, Any] = {}
    with ExitStack() as undone_at_the_end, _asking(stage, told):
        undone_at_the_end.enter_context(do())
        told["withdrawn"] = round(stage.withdrawn(), 2)
        time.sleep(_AFTER)
    stage.network.settled()
    return told


def watch(stage: Stage, command: Sequence[str]) -> dict[str, Any]:
    """Tell what clients lose while a command runs, its exit code, and how many relays were drained at once.

    `fewest` is the number of relays that the router spread over at least: on a busy machine others are late.
    """
    told: dict[str, Any] = {"fewest": len(RELAYS), "drained": 0}
    ordinary = ["nice", "-n", str(-_FAVOURED), *command]
    with _asking(stage, told, _SLOWLY), subprocess.Popen(ordinary, stdout=sys.stderr) as running:
        while running.poll() is None:
            told["fewest"] = min(told["fewest"], *map(len, stage.network.announced()))
            told["drained"] = max(told["drained"], stage.drained())
            time.sleep(0.1)
    stage.settled()
    return told | {"code": running.returncode}


@contextmanager
def _asking(stage: Stage, told: dict[str, Any], rate: float = RATE) -> Iterator[None]:
    """Have clients ask while something is done, and a moment before and after; put what was lost in TOLD."""
    os.setpriority(os.PRIO_PROCESS, 0, _FAVOURED)
    stage.settled()
    with stage.network.helpers() as helpers:
        with asking(helpers, rate) as asked:
            time.sleep(_BEFORE)
            yield
            time.sleep(_BEFORE)
        told |= {f"ipv{version}": asdict(loss(asked[at])) for at, version in enumerate((4, 6))}


def with_hold_time_alone(stage: Stage) -> dict[str, Any]:
    """Tell what clients lose when a relay host's power goes, and no BFD tells of it."""
    with stage.without_bfd():
        return lasting(stage, stage.power_off)


def cross_over(stage: Stage) -> dict[str, Any]:
    """Tell at which servers boots went on that were moved to another relay in their middle."""
    told = cross(stage.network)
    stage.network.settled()
    return told


HAPPENINGS: dict[str, tuple[str, Callable[[Stage], dict[str, Any]]]] = {
    "killed": ("the daemon is killed", lambda stage: passing(stage, stage.killed)),
    "hung": ("the daemon hangs", lambda stage: lasting(stage, stage.hung)),
    "power": ("a relay host loses its power", lambda stage: lasting(stage, stage.power_off)),
    "hold": ("the same, and only BGP's hold time tells", with_hold_time_alone),
    "restart": ("the daemon is restarted", lambda stage: passing(stage, stage.restart)),
    "drained": ("the same, out of rotation first", lambda stage: passing(stage, stage.drained_restart)),
    "route": ("a relay has no route to the servers", lambda stage: lasting(stage, stage.no_route)),
    "way": ("it has one, that leads into nothing", lambda stage: lasting(stage, stage.way_lost)),
    "cross": ("boots go on through another relay, which thinks otherwise of servers", cross_over),
}


def up(name: str, releases: Sequence[str], progress: Progress) -> None:
    """Build everything up to the point where Ansible takes over the relay hosts."""
    progress.step("remove what an earlier run left")
    down(name)
    for release in dict.fromkeys(releases):
        progress.step(f"image of a relay host, Debian {release}, BIRD at hand (the first time: a minute)")
        fresh(release, PACKAGES, [BIRD])
    progress.step("wheels for a host without internet")
    wheelhouse()
    progress.step("network: 64 VLANs, FRR, two servers of each family, links of three relay hosts")
    os.setpriority(os.PRIO_PROCESS, 0, _FAVOURED)
    AnycastNetwork(Lab(name, persistent=True)).build()
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    for relay, release in zip(RELAYS, releases, strict=True):
        progress.step(f"{relay}: systemd boots")
        group = f"/pxr-{name}"
        options = ["--cgroup-parent", group, "--restart=always"]  # it comes back from a reboot
        RelayHost(name, relay).start(image=fresh(release, PACKAGES, [BIRD]), options=options)
        _favour(group)


def _favour(group: str) -> None:
    """Have what runs in a control group get more of the processors than what else the machine does.

    All containers of a podman weigh as much together as one process beside them, so BFD would be late.
    """
    for path, weight in ((f"cpu{group}/cpu.shares", _SHARES), (f"{group[1:]}/cpu.weight", _WEIGHT)):
        with contextlib.suppress(FileNotFoundError):
            Path("/sys/fs/cgroup", path).write_text(str(weight))


def main() -> int:
    """Do what the command line says; Molecule's playbooks call this."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.outage", description=__doc__.split("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    meanings = {"up": "build it all", "watch": "a command runs"}
    meanings |= {action: meaning for action, (meaning, _) in HAPPENINGS.items()}
    for action, meaning in meanings.items():
        actions.add_parser(action, help=meaning).add_argument("name", help="the lab's name")
    actions.choices["up"].add_argument("--relay", action="append", choices=RELEASES, required=True)
    actions.choices["watch"].add_argument("command", nargs="+", help="after --, what to run meanwhile")
    arguments = parser.parse_args()
    try:
        if arguments.action == "up":
            with alone(arguments.name):
                up(arguments.name, arguments.relay, Progress())
        elif arguments.action == "watch":
            print(json.dumps(watch(Stage(arguments.name), arguments.command)))
        else:
            print(json.dumps(HAPPENINGS[arguments.action][1](Stage(arguments.name))))
    except (CommandError, LabError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
