"""`make demo`: the whole of pxerelay on this one machine, with real servers, real clients and Ansible.

A mapping in an inventory is rolled out to a relay host; clients of one VLAN boot from different servers,
over IPv4 and over IPv6. Then one line of the mapping goes, the playbook runs again, and that client moves in
both, without a restart of the daemon.
"""

import argparse
import io
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any

from tests.lab.command import REPOSITORY, CommandError
from tests.lab.image import WHEELHOUSE
from tests.lab.network import LabError
from tests.lab.relayhost import PXERELAY, RelayHost
from tests.lab.rollout import COMMAND, CONFIG, INVENTORY, PLAYBOOK, roll_out, without_rule
from tests.lab.stage import Progress, alone, down, up
from tests.lab.topology import CLIENTS, RIS, Client
from tests.lab.topology6 import Network6
from tests.lab.trial import Outcome, boot
from tests.lab.trial6 import Outcome6, boot6
from tests.pages.elsewhere import wrong

NAME = "demo"
UNIT = "pxerelay.service"
PODMAN = ".cache/podman/podman"
HEADINGS = ("client", "is a", "rule that chose", "was offered", "expected", "")


def main() -> int:
    """Run the demo; 0 if every client was treated as the mapping says."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--keep", action="store_true", help="leave the lab up, and say how to look around in it"
    )
    parser.add_argument(
        "--pages", action="store_true", help="fail unless the pages that show this show what is printed"
    )
    arguments = parser.parse_args()
    printed = _Twice()
    try:
        with alone(NAME), redirect_stdout(printed):
            code = _run(keep=arguments.keep)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    stale = wrong("demo", printed.getvalue()) if arguments.pages and code == 0 else []
    print(*stale, sep="\n\n", end="\n" if stale else "")
    return 1 if stale else code


class _Twice(io.StringIO):
    """Prints what is written, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self._to = sys.stdout

    def write(self, text: str) -> int:
        self._to.write(text)
        self._to.flush()
        return super().write(text)


def _run(*, keep: bool) -> int:
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    progress = Progress()
    verdict, code = "NOT as expected, see above", 1
    try:
        if _show(progress):
            verdict, code = "all as expected", 0
    except (CommandError, LabError) as error:
        print(f"\n{error}", file=sys.stderr)
        verdict = "ended early, see above"
    except KeyboardInterrupt:
        print(flush=True)
        verdict, code = "interrupted", 130
    finally:
        with _uninterrupted():
            if keep:
                _keep()
            else:
                progress.step("remove everything")
                down(NAME)
    progress.step(verdict)
    return code


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C wait: half a removal would be worse than a slow one."""
    before = {number: signal.signal(number, _wait) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(_number: int, _frame: object) -> None:
    print("a moment: the lab is being removed", file=sys.stderr, flush=True)


def _show(progress: Progress) -> bool:
    network, host = up(NAME, progress)
    logs = network.lab.state_dir
    progress.step("ansible-playbook -i inventories/lab ansible/playbooks/site.yml")
    roll_out(NAME, INVENTORY, logs / "rollout-1.log")
    progress.step(f"{len(CLIENTS)} clients boot on vlan10")
    fine = _report(host, boot(network, CLIENTS))

    moving = next(client for client in CLIENTS if client.name == "listed")
    network6 = Network6(network)
    progress.step("the first of them boots over IPv6 too, by the same rule")
    fine &= _report(host, boot6(network6, [moving]))

    pid = host.main_pid(UNIT)
    line = without_rule(moving.mac, logs / "inventory")
    progress.step("the playbook again, with one line of the mapping removed:")
    print(f"             - {line}")
    roll_out(NAME, logs / "inventory", logs / "rollout-2.log")
    progress.step("that client boots again, over IPv4 and over IPv6")
    moved = replace(moving, server=RIS, kind="no longer listed")
    fine &= _report(host, boot(network, [moved]))
    fine &= _report(host, boot6(network6, [moved]))
    now = host.main_pid(UNIT)
    if now == pid:
        print(f"The daemon was not restarted: process {pid} before and after.\n")
    else:
        print(f"The daemon was RESTARTED: process {pid} before, {now} after.\n")
    return fine and now == pid


def _report(host: RelayHost, outcomes: Sequence[Outcome] | Sequence[Outcome6]) -> bool:
    """Print what each client got beside what the daemon's own `explain` says; True if all is as expected."""
    rows = [HEADINGS]
    fine = True
    for outcome in outcomes:
        client = outcome.client
        said = _explain(host, client)
        said_of_it = said["servers6" if isinstance(outcome, Outcome6) else "servers"]
        ok = outcome.ok and said_of_it == ([outcome.wanted] if outcome.wanted else [])
        fine = fine and ok
        rule = f"{said['rule']} ({said['reason']}, {said['source'].rpartition('/')[2]})"
        rows.append(
            (client.mac, client.kind, rule, outcome.offered, outcome.expected, "ok" if ok else "WRONG")
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    print()
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()
    return fine


def _explain(host: RelayHost, client: Client) -> dict[str, Any]:
    argv = [PXERELAY, "explain", client.mac, "--interface", "vlan10", "--format", "json"]
    answer = json.loads(host.run(*argv).stdout)
    return {key: answer.get(key) or "" for key in ("rule", "reason", "source")} | {
        key: answer[key] for key in ("servers", "servers6")
    }


def _keep() -> None:
    names = f"""\
The lab is still up. From the repository's folder:
  relay host         {PODMAN} exec -it {RelayHost(NAME).name} bash
  its log            {PODMAN} exec {RelayHost(NAME).name} journalctl -u {UNIT}
  its packets        ip netns exec {RelayHost(NAME).name} tcpdump -nei vlan10 port 67 or 68 or 546 or 547
  boot all clients   {sys.executable} -m tests.lab boot {NAME}, with --ipv6 over IPv6
  the daemon says    {PODMAN} exec {RelayHost(NAME).name} {PXERELAY} status
  servers' logs      .cache/lab/{NAME}/*.log
  the playbook       ANSIBLE_CONFIG={CONFIG.relative_to(REPOSITORY)} \\
                       PXERELAY_WHEELHOUSE={WHEELHOUSE.relative_to(REPOSITORY)} \\
                       {COMMAND} -i {INVENTORY.relative_to(REPOSITORY)} {PLAYBOOK.relative_to(REPOSITORY)}
  remove it all      {sys.executable} -m tests.lab down {NAME}"""
    print(names.replace(f"{REPOSITORY}/", ""))


def _as_ctrl_c(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
