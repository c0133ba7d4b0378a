"""Rule 43: server override, and clients that have several servers."""

from __future__ import annotations

import pytest

from pxerelay.config.findings import ConfigError
from tests.unit.configs import build

BASE = """
servers:
  ris: 10.20.0.10
  altiris: [10.20.0.20, 10.20.0.21]
  wds: {addresses: [10.20.0.30, 10.20.0.31], strategy: failover}
  sccm: {addresses: [10.20.0.40, 10.20.0.41], strategy: hash}
  proxy: {addresses: [10.20.0.50, 10.20.0.51], leases: false}
  dhcp: 10.20.0.2
option82: {server_override: true}
"""

SEVERAL = "is several servers, and `server_override` (line 9) has each of them take itself for the one"


def faults(text: str) -> list[str]:
    """Return `LINE:COLUMN MESSAGE` of each fault, lines counted after the ones that all have."""
    with pytest.raises(ConfigError) as caught:
        build(BASE + text)
    return [f"{one.line - 9}:{one.column} {one.message}" for one in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("default: altiris\n", "1:10"),
        ("default: [ris, dhcp]\n", "1:10"),
        ("default: [ris, wds]\n", "1:10"),
        ("default: ris\ninterfaces: {vlan10: {default: altiris}}\n", "2:32"),
        ("default: ris\nrules:\n  02:00:00:00:00:01: ris\n  02:00:00:00:00:02: altiris\n", "4:22"),
        ("default: ris\nrules: {02:00:00: [ris, 10.20.0.99]}\n", "2:19"),
        ("default: ris\nrules: {02:00:00:00:00:02: {server: altiris, until: 2999-01-01}}\n", "2:28"),
        (
            "default: ris\nclasses: [{name: a, arch: 7, server: ris}, {name: b, arch: 7, server: altiris}]\n",
            "2:71",
        ),
    ],
)
def test_rule_43_server_override_goes_with_no_list_of_servers(text: str, place: str) -> None:
    (found,) = faults(text)
    assert found.startswith(f"{place} ")
    assert SEVERAL in found
    assert "give them a `strategy` (failover or hash) under `servers:`" in found
    assert build((BASE + text).replace("server_override: true", "server_override: false"))


@pytest.mark.parametrize(
    "text",
    [
        "default: ris\n",
        "default: wds\nrules: {02:00:00: sccm, 02:00:01: drop}\n",
        "default: [ris, proxy]\n",
        "default: proxy\ndhcp_servers: dhcp\n",
        "default: dhcp\ndhcp_servers: dhcp\n",
        "default: wds\ndhcp_servers: wds\n",
        "default: 10.20.0.50\ndhcp_servers: [dhcp]\n",
    ],
)
def test_rule_43_pools_and_servers_that_lease_nothing_may_have_it(text: str) -> None:
    assert build(BASE + text).option82


@pytest.mark.parametrize("more", ["", "pxe_only: true\n"])
def test_rule_43_dhcp_servers_beside_boot_servers_that_lease_are_refused(more: str) -> None:
    (found,) = faults(f"default: proxy\ndhcp_servers: dhcp\nrules: {{02:00:00: ris}}\n{more}")
    assert found.startswith("2:15 these get each request beside the boot server, such as ris, and")
    assert "say `leases: false` of those that give no addresses, or take server_override out" in found
    (found,) = faults(f"default: proxy\ndhcp_servers: [dhcp, ris]\n{more}")
    assert found.startswith("2:15 these get each request together, and")
