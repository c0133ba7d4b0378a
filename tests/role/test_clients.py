"""Clients of the whole fleet: what all relays heard of one, and all that no rule names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.command import REPOSITORY
from tests.role.plays import hosts, play
from tests.role.test_filters import FILTERS

gathered, timeline = FILTERS["gathered"], FILTERS["timeline"]

PLAYBOOKS = REPOSITORY / "ansible" / "playbooks"
MAC = "02:00:00:10:00:01"


def _heard(*lines: str) -> dict[str, Any]:
    return {"rc": 0, "stdout": "\n".join(("watching it", "  mapping", *lines))}


def test_what_all_relays_heard_is_in_the_order_of_time() -> None:
    told = timeline(
        {
            "relay1": _heard("10:00:01.500 DISCOVER", "    more of it", "10:00:03.000 REQUEST"),
            "relay10": _heard("10:00:02.000 DISCOVER"),
            "relay2": _heard(),
            "relay3": {"rc": 3, "stdout": "", "stderr": "a\nno daemon answers at x"},
            "relay4": {"unreachable": True},
        }
    )
    assert told == [
        "relay1   10:00:01.500 DISCOVER",
        "relay1       more of it",
        "relay10  10:00:02.000 DISCOVER",
        "relay1   10:00:03.000 REQUEST",
        "relay2   nothing was heard",
        "relay3   no daemon answers at x",
        "relay4   can't be reached",
    ]


def test_midnight_is_in_the_middle_of_a_trace() -> None:
    told = timeline({"relay1": _heard("00:00:01.000 after"), "relay2": _heard("23:59:59.000 before")})
    assert told == ["relay2  23:59:59.000 before", "relay1  00:00:01.000 after"]


def _client(mac: str, minute: int, **more: Any) -> dict[str, Any]:
    return {
        "mac": mac,
        "interface": None,
        "giaddr": "10.64.1.1",
        "pxe": True,
        "vendor_class": "PXEClient:Arch:00000",
        "vendor": "",
        "server": "ris",
        "last_seen": f"2027-01-20T10:{minute:02}:00+00:00",
        **more,
    }


def _unknown(*clients: dict[str, Any]) -> dict[str, Any]:
    return {"rc": 0, "stdout": json.dumps({"clients": clients})}


def test_unknown_clients_of_all_relays_are_one_mapping_newest_first() -> None:
    told = gathered(
        {
            "relay1": _unknown(_client(MAC, 5), _client("02:00:00:10:00:02", 3, server="a, b")),
            "relay2": _unknown(
                _client(MAC, 7, server="wds"), _client("02:00:00:10:00:03", 6, interface="vlan10")
            ),
            "relay3": {"rc": 3, "stdout": "", "stderr": "no daemon answers at x"},
        }
    )
    assert told.splitlines() == [
        "# fell to a default, newest first; put the right server in",
        "# relay3: no daemon answers at x",
        "rules:",
        f'  "{MAC}": wds     # router 10.64.1.1 by relay2, relay1, 2027-01-20 10:07, PXEClient:Arch:00000',
        '  "02:00:00:10:00:03": ris     # vlan10 by relay2, 2027-01-20 10:06, PXEClient:Arch:00000',
        '  "02:00:00:10:00:02": [a, b]  # router 10.64.1.1 by relay1, 2027-01-20 10:03, PXEClient:Arch:00000',
    ]
    assert yaml.safe_load(told)["rules"] == {
        MAC: "wds",
        "02:00:00:10:00:03": "ris",
        "02:00:00:10:00:02": ["a", "b"],
    }


def test_nothing_that_a_client_says_leaves_its_comment() -> None:
    told = gathered({"relay1": _unknown(_client(MAC, 5, vendor_class="PXEClient\nrules: {}\x1b[2J"))})
    assert told.splitlines()[-1].endswith(", PXEClient?rules: {}?[2J")
    assert len(told.splitlines()) == 3


def test_clients_whose_mac_nobody_tells_are_comments() -> None:
    nameless = {**_client("", 9), "mac": None, "duid": "00030001", "router": "2001:db8:64::1", "giaddr": None}
    answer = {"rc": 0, "stdout": json.dumps({"clients": [_client(MAC, 5)], "without_mac": [nameless]})}
    told = gathered({"relay1": answer, "relay2": answer})
    assert told.splitlines()[1:3] == [
        "# nobody told the MACs of these, so no rule can name them:",
        "#   DUID 00030001, router 2001:db8:64::1 by relay1, relay2, 2027-01-20 10:09, PXEClient:Arch:00000",
    ]
    assert yaml.safe_load(told) == {"rules": {MAC: "ris"}}


def test_a_router_may_be_one_of_ipv6() -> None:
    told = gathered({"relay1": _unknown(_client(MAC, 5, giaddr=None, router="2001:db8:64::1"))})
    assert "# router 2001:db8:64::1 by relay1, " in told


def test_nobody_is_unknown() -> None:
    assert gathered({"relay1": _unknown()}) == "# nobody fell to a default\n"


PROGRAM = """\
#!/bin/sh
case $1 in
trace) printf 'watching\\n10:00:01.000 %s for %s, TZ=%s\\n' "$2" "$4" "$TZ" ;;
unknown) cat <<'END'
{answer}
END
;;
*) exit 3 ;;
esac
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Three hosts, each of which is this machine, with a program that says what a daemon would."""
    program = tmp_path / "pxerelay" / "current" / "bin" / "pxerelay"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM.format(answer=json.dumps({"clients": [_client(MAC, 5)]})))
    program.chmod(0o755)
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "ansible_async_dir": str(tmp_path / "jobs"),
        "pxerelay_dir": str(tmp_path / "pxerelay"),
    }
    return hosts(tmp_path, variables, "relay1", "relay2", "relay3")


def test_a_client_is_followed_on_all_relays(tmp_path: Path, fleet: Path) -> None:
    arguments = ("-e", f"pxerelay_trace_mac={MAC}", "-e", "pxerelay_trace_seconds=7")
    played = play(tmp_path, PLAYBOOKS / "trace.yml", fleet, *arguments)
    assert played.returncode == 0, played.stdout + played.stderr
    for host in ("relay1", "relay2", "relay3"):
        assert f'"{host}  10:00:01.000 {MAC} for 7, TZ=UTC"' in played.stdout
    assert not list((tmp_path / "jobs").iterdir()), "no job is left behind"


def test_a_trace_wants_a_client(tmp_path: Path, fleet: Path) -> None:
    played = play(tmp_path, PLAYBOOKS / "trace.yml", fleet)
    assert played.returncode != 0
    assert "missing required arguments: pxerelay_trace_mac" in played.stdout


def test_unknown_clients_are_written_to_a_file(tmp_path: Path, fleet: Path) -> None:
    wanted = tmp_path / "unknown.yml"
    played = play(tmp_path, PLAYBOOKS / "unknown.yml", fleet, "-e", f"pxerelay_unknown_file={wanted}")
    assert played.returncode == 0, played.stdout + played.stderr
    assert (
        f'  "{MAC}": ris  # router 10.64.1.1 by relay1, relay2, relay3, 2027-01-20 10:05'
        in wanted.read_text()
    )
    played = play(tmp_path, PLAYBOOKS / "unknown.yml", fleet)
    assert f'{MAC}\\": ris  # router 10.64.1.1 by relay1, relay2, relay3' in played.stdout, played.stdout
