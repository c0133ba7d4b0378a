"""A host that relays DHCPv6 alone, and what `doctor` finds of it where all is well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.doctor.conftest import Doctor
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, CLIENT_VLANS6, RIS6, Radvd

CONFIG6 = f"""\
dhcpv4: false
dhcpv6: true
servers: {{ris: "{RIS6}", altiris: "{ALTIRIS6}"}}
default: ris
interfaces:
  vlan10: {{}}
  vlan20: {{default: altiris}}
"""
ONE = CONFIG6.replace("  vlan20: {default: altiris}\n", "").replace(f', altiris: "{ALTIRIS6}"', "")
LOST = {("note", "addresses-lost-on-down", name) for name in ("vlan10", "vlan20")}
"""What is found on a host where nobody takes care of the interfaces."""

Found = set[tuple[str, str, str]]


@contextmanager
def running_radvd(network: Network, **flags: bool) -> Iterator[Radvd]:
    """Have the relay host be the router that advertises itself."""
    radvd = Radvd(network.relay, dict(CLIENT_VLANS6), **flags)
    radvd.start()
    try:
        yield radvd
    finally:
        radvd.stop()


def found(doctor: Doctor, *arguments: str) -> Found:
    return set(doctor.finds(*arguments)) - LOST
