"""A pair's keepalived, as the role configures it: the addresses of both families move together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import pytest

from tests.lab import Host, debian
from tests.lab.topology import Network
from tests.role.test_filters import FILTERS

TEMPLATE = Path(__file__).parents[2] / "ansible/roles/pxerelay/templates/pair.conf.j2"
OLD = "10.10.10.100/24"
PAIR: dict[str, Any] = {
    "hosts": ["one", "two"],
    "id": 51,
    "addresses": {"eth0": [OLD, "2001:db8:10:10::100/64"]},
}
ALONE = PAIR | {"addresses": {"eth0": "2001:db8:10:10::100/64"}}
PATIENCE = 30.0


def configuration(name: str, pair: dict[str, Any]) -> str:
    """Return what the role writes for a host, but for the daemon, which runs all the time."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701  # no HTML
    environment.filters |= {f"pxerelay.pxerelay.{one}": FILTERS[one] for one in ("priority", "virtual")}
    text = environment.from_string(TEMPLATE.read_text()).render(
        pxerelay_pair=pair,
        inventory_hostname=name,
        pxerelay_user="root",
        pxerelay_group="root",
        __pxerelay_pair_interface="eth0",
    )
    return text.replace("/usr/bin/systemctl is-active --quiet pxerelay.service", "/bin/true")


@contextmanager
def keepalived(host: Host, name: str, pair: dict[str, Any], folder: Path) -> Iterator[None]:
    """Run keepalived on a host."""
    file = folder / f"{name}.conf"
    file.write_text(configuration(name, pair))
    program = debian.program_with_libraries("keepalived", "usr/sbin/keepalived")
    pids = [f"--{kind}={folder / f'{name}.{kind}'}" for kind in ("pid", "vrrp_pid", "checkers_pid")]
    argv = [*program, "--dont-fork", "--log-console", "--vrrp", f"--use-file={file}", *pids]
    process = host.popen(argv, log=f"{name}.keepalived")
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def has(host: Host, pair: dict[str, Any]) -> list[bool]:
    """Tell of each address of a pair whether a host has it."""
    shown = host.run(["ip", "-oneline", "address", "show", "dev", "eth0"]).stdout
    texts = pair["addresses"]["eth0"]
    return [text in shown for text in (texts if isinstance(texts, list) else [texts])]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def hosts(network: Network) -> dict[str, Host]:
    """Add two hosts to vlan10."""
    made = {}
    for number, name in enumerate(("one", "two"), 1):
        host = made[name] = network.lab.host(f"pair{number}")
        host.attach(network.segments["vlan10"], "eth0", addresses=[f"10.10.10.20{number}/24"])
    return made


@pytest.mark.parametrize("pair", [PAIR, ALONE], ids=["both families", "IPv6 alone"])
def test_the_other_host_takes_over_in_both_families(
    hosts: dict[str, Host], tmp_path: Path, pair: dict[str, Any]
) -> None:
    with keepalived(hosts["two"], "two", pair, tmp_path):
        with keepalived(hosts["one"], "one", pair, tmp_path):
            wait_until(lambda: any(all(has(host, pair)) for host in hosts.values()))
        wait_until(lambda: all(has(hosts["two"], pair)))
        assert not any(has(hosts["one"], pair)), "who ends takes them away"
        shown = hosts["two"].run(["ip", "-6", "-oneline", "address", "show", "dev", "eth0"]).stdout
        (line,) = (line for line in shown.splitlines() if "2001:db8:10:10::100" in line)
        assert "tentative" not in line, "it serves at once"
    wait_until(lambda: not any(has(hosts["two"], pair)))
