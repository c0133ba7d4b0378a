"""How long the role takes on eight relay hosts: a first installation, no change, one line of the mapping."""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from pathlib import Path

import yaml

from tests.benchmark.fleet import NAMES, Fleet
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.lab.command import REPOSITORY, run
from tests.lab.image import RELEASES, WHEELHOUSE
from tests.lab.rollout import CONFIG, INVENTORY
from tests.lab.stage import Progress, alone, down, up
from tests.role.plays import BIN

LAB = "bench"
HOSTS = 8
FORKS = 25
FIRST, NOTHING, LINE = "first installation, site.yml", "no change, site.yml", "one line, mapping.yml"
MOST = {FIRST: 120.0, NOTHING: 20.0, LINE: 12.0}
"""Seconds on two processors."""

CONTROL = f"one line for {NAMES} inventory names, over OpenSSH"
MOST_SECONDS, MOST_CONTROL = 180.0, 0.4
"""Seconds for all, and of processors on the control machine for each."""


def rollout_part(rounds: int, say: Say) -> Result:
    """Play on hosts of the lab, over its own connection; the processors also do what hosts have to do."""
    times: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    names = [f"relay{number}" for number in range(1, HOSTS + 1)]
    kinds = [list(RELEASES)[number % len(RELEASES)] for number in range(HOSTS)]
    with (
        alone(LAB),
        tempfile.TemporaryDirectory(prefix="pxerelay-") as folder,
        tempfile.TemporaryDirectory(prefix="pxr-") as many,
    ):
        inventory = _inventory(Path(folder), names)

        def timed(what: str, playbook: str, changes: int | None, **variables: object) -> None:
            seconds, cost = _play(playbook, inventory, changes, variables)
            times.setdefault(what, []).append(seconds)
            costs.setdefault(what, []).append(cost)
            say(f"{what}: {seconds:.1f} s, {cost:.1f} s of processors")

        try:
            up(LAB, Progress(), kinds, ssh=True)
            timed(FIRST, "site.yml", None)
            for turn in range(rounds):
                timed(NOTHING, "site.yml", 0)
                rule = {f"02:00:00:10:01:{turn % 256:02x}": "altiris"}
                timed(LINE, "mapping.yml", HOSTS, pxerelay_rules__bench=rule)
                _play("mapping.yml", inventory, HOSTS, {})
            fleet = Fleet(Path(many), LAB, names)
            fleet.play("mapping.yml", {})  # they get the rules that all of them have
            for turn in range(rounds):
                rule = {f"02:00:00:10:02:{turn % 256:02x}": "altiris"}
                seconds, control = fleet.play("mapping.yml", {"pxerelay_rules__bench": rule})
                times.setdefault(CONTROL, []).append(seconds)
                costs.setdefault(CONTROL, []).append(control)
                say(f"{CONTROL}: {seconds:.1f} s, {control / NAMES:.3f} s of processors for each")
        finally:
            down(LAB)
    found = {what: middle(seconds) for what, seconds in times.items()}
    rows = [
        (what, round(found[what], 1), round(middle(costs[what]), 1), round(middle(costs[what]) / HOSTS, 2))
        for what in MOST
    ]
    columns = ("what", "seconds", "processor seconds", "of these for each host")
    for_each = middle(costs[CONTROL]) / NAMES
    return Result(
        "rollout",
        [
            Table(
                f"The role on {HOSTS} relay hosts, they and the control machine on this one", columns, rows
            ),
            Table(
                f"The control machine: {CONTROL} to {HOSTS} hosts, {FORKS} at a time",
                ("what", "seconds", "processor seconds", "of these for each name"),
                [
                    (
                        "mapping.yml",
                        round(found[CONTROL], 1),
                        round(middle(costs[CONTROL]), 1),
                        round(for_each, 3),
                    )
                ],
            ),
        ],
        [
            *(Bound(f"{what}, {HOSTS} hosts, seconds", found[what], most) for what, most in MOST.items()),
            Bound(f"{CONTROL}, seconds", found[CONTROL], MOST_SECONDS),
            Bound("control machine, processor seconds for each of these names", for_each, MOST_CONTROL),
        ],
        {"seconds": times, "processors": costs},
    )


def _inventory(folder: Path, names: list[str]) -> Path:
    (folder / "hosts.yml").write_text(yaml.safe_dump({"pxerelay": {"hosts": {name: {} for name in names}}}))
    (folder / "group_vars").symlink_to(INVENTORY / "group_vars")
    return folder


def _play(
    playbook: str, inventory: Path, changes: int | None, variables: dict[str, object]
) -> tuple[float, float]:
    """Return the seconds that a playbook took, and those of processors, its modules on the hosts included.

    RuntimeError if it fails, or changes another number of hosts.
    """
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CONFIG),
        "ANSIBLE_FORKS": str(FORKS),
        "ANSIBLE_NOCOLOR": "1",
        "PXERELAY_LAB": LAB,
        "PXERELAY_WHEELHOUSE": str(WHEELHOUSE),
    }
    words = [
        str(BIN / "ansible-playbook"),
        "-i",
        str(inventory),
        str(REPOSITORY / "ansible" / "playbooks" / playbook),
        "-e",
        json.dumps(variables),
    ]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    said = run(words, env=environment, cwd=REPOSITORY, timeout=900).stdout
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    changed = sum(" changed=" in line and " changed=0 " not in line for line in said.splitlines())
    if changes is not None and changed != changes:
        raise RuntimeError(f"{playbook} changed {changed} hosts, and {changes} were to be\n{said}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
