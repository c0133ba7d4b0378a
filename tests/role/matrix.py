"""The role by every release of ansible-core that is promised: `make ansible-matrix`, ARGS=2.17 for some.

Each release renders the inventories of this repository, with each of the settings, to files that must be
the same and that `pxerelay check` must accept. Then it plays on a real host of the lab: check mode, first
installation, a change, and back; the same with all settings at once. At last the newest plays over OpenSSH,
as that is by default, also where the daemon is stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.lab.command import REPOSITORY, CommandError
from tests.lab.image import WHEELHOUSE
from tests.lab.network import LabError
from tests.lab.podman import HOME
from tests.lab.stage import Progress, alone, down, up
from tests.role.openssh import reached_by_ssh
from tests.role.plays import play
from tests.role.rendering import render
from tests.role.versions import ALL_AT_ONCE, MATRIX, SETTINGS, Ansible

LAB = "matrix"
INVENTORIES = [path.parent for path in sorted(REPOSITORY.glob("inventories/*/hosts.yml"))]
PLAYBOOKS = REPOSITORY / "ansible" / "playbooks"
ENVIRONMENT = {
    "ANSIBLE_CONNECTION_PLUGINS": str(REPOSITORY / "tests" / "lab" / "ansible" / "connection_plugins"),
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    "PXERELAY_LAB": LAB,
    "PXERELAY_WHEELHOUSE": str(WHEELHOUSE),
}

OURS = {
    # An administrator's own, who has no reason to turn the gathering of facts off.
    "own": "- {hosts: pxerelay, become: true, gather_facts: true, roles: [pxerelay.pxerelay.pxerelay]}\n",
    "stop": "- {hosts: pxerelay, become: true, tasks: [{ansible.builtin.systemd_service: "
    "{name: pxerelay.service, state: stopped}}]}\n",
}

SAME, ANOTHER = "changed=0 ", r"changed=[1-9]"


PAIRED = json.dumps(
    {"pxerelay_pair": {"hosts": ["relay1", "relay2"], "id": 51, "addresses": {"vlan10": "10.10.10.1/24"}}}
)
OTHERWISE = json.dumps(
    {
        "pxerelay_dependencies": "packages",
        "pxerelay_rule_files": [str(REPOSITORY / "inventories" / "rules" / "training-room.yml")],
    }
)


@dataclass(frozen=True)
class Step:
    """A playbook, with arguments, and what it must say."""

    playbook: str
    says: str
    arguments: Sequence[str] = ()


STEPS = (
    Step("site", ANOTHER, ["--check", "--diff"]),
    Step("site", ANOTHER),
    Step("site", SAME),
    Step("mapping", ANOTHER, ["-e", "pxerelay_max_hops=8"]),
    Step("mapping", ANOTHER),
    Step("site", ANOTHER, ["-e", "pxerelay_max_hops=9"]),
    Step("rollback", ANOTHER),
    Step("status", r" no  +5 "),
)
AGAIN = (
    Step("site", SAME),
    Step("own", SAME),
    Step("mapping", ANOTHER, ["-e", "pxerelay_max_hops=8"]),
    Step("mapping", ANOTHER),
    Step("site", ANOTHER, ["--check", f"-e{PAIRED}"]),
    Step("remove", ANOTHER),
    Step("site", ANOTHER, [f"-e{OTHERWISE}"]),
    Step("status", r" no  +[1-9]", [f"-e{OTHERWISE}"]),
    Step("remove", ANOTHER),
)
OVER_SSH = (
    *STEPS[:6],
    Step("stop", ANOTHER),
    Step("rollback", ANOTHER),
    Step("stop", ANOTHER),
    Step("site", ANOTHER),
    Step("status", r" no  +5 "),
    Step("remove", ANOTHER),
)


class Matrix:
    """What was tried, and what is wrong with it."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._progress = Progress()

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Try something, say what came of it, and go on."""
        begin = time.monotonic()
        try:
            yield
        except (AssertionError, CommandError) as error:
            self.wrong.append(what)
            self._progress.step(f"WRONG  {what}\n{error}")
        else:
            self._progress.step(f"ok     {what}, {time.monotonic() - begin:.0f} s")

    def renders(self, ansible: Ansible, wanted: dict[Path, object]) -> None:
        """Render all inventories with each of the settings."""
        for inventory in INVENTORIES:
            for name, settings in SETTINGS.items():
                with self.trying(f"{ansible} renders {inventory.name}, {name}"), _folder() as folder:
                    rendered = render(folder, inventory, settings, ansible.program())
                    assert rendered == wanted.setdefault(inventory, rendered), "others render another file"

    def plays(
        self,
        ansible: Ansible,
        steps: Sequence[Step],
        called: str,
        settings: Mapping[str, str],
        *arguments: str,
    ) -> None:
        """Play one playbook after the other on the lab's host."""
        for step in steps:
            what = " ".join([step.playbook, *step.arguments])
            with self.trying(f"{ansible} plays {what}, {called}"), _folder() as folder:
                playbook = PLAYBOOKS / f"{step.playbook}.yml"
                if step.playbook in OURS:
                    playbook = folder / "play.yml"
                    playbook.write_text(OURS[step.playbook])
                played = play(
                    folder,
                    playbook,
                    REPOSITORY / "inventories" / "lab",
                    *step.arguments,
                    *arguments,
                    program=ansible.program(),
                    timeout=600,
                    settings={**ENVIRONMENT, **settings},
                )
                said = played.stdout + played.stderr
                assert played.returncode == 0, said
                assert re.search(step.says, played.stdout), said
                old = [
                    line
                    for line in said.splitlines()
                    if "DEPRECATION" in line and "JINJA2_NATIVE" not in line
                ]
                assert not old, "\n".join(old)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pxerelay-") as name:
        yield Path(name)


def _enter() -> str:
    """Return the start of a command line that goes into the lab's host, as its connection plugin does."""
    pid = (HOME / f"pxr-{LAB}-relay1.pid").read_text().strip()
    environment = "HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return f"nsenter --target={pid} --all --wd=/root env {environment}"


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.role.matrix", description=__doc__)
    known = sorted({ansible.release for ansible in MATRIX})
    parser.add_argument("release", nargs="*", help=f"of {', '.join(known)}; default: all")
    chosen = parser.parse_args().release or known
    if unknown := set(chosen) - set(known):
        parser.error(f"{', '.join(unknown)}: the matrix has {', '.join(known)}")
    releases = [ansible for ansible in MATRIX if ansible.release in chosen]
    matrix = Matrix()
    wanted: dict[Path, object] = {}
    try:
        with alone(LAB):
            for ansible in releases:
                ansible.program()
                matrix.renders(ansible, wanted)
            up(LAB, Progress())
            for ansible in releases:
                matrix.plays(ansible, STEPS, "as it is", {})
                matrix.plays(ansible, AGAIN, "all settings at once", ALL_AT_ONCE)
            with _folder() as folder:
                more = folder / "ssh.yml"  # of the host alone: the control machine is localhost all the same
                ways = reached_by_ssh(folder, enter=_enter())
                more.write_text(yaml.safe_dump({"pxerelay": {"hosts": {"relay1": ways}}}))
                matrix.plays(releases[-1], OVER_SSH, "over OpenSSH", {}, "-i", str(more))
            down(LAB)
    except (CommandError, LabError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(matrix.wrong)} wrong" if matrix.wrong else "all well")
    return 1 if matrix.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
