"""What a message became, in a line: where it arrived, from whom, and what of it was changed.

    server:67 from core:67; hops +1, giaddr ours
    yiaddr:68 at chaddr from vlan10:67; unchanged
    nothing

Several arrivals are joined by " | ". Two outcomes that differ may have one outline only if what differs
is told by neither; the comparison treats that as a difference that nothing explains.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from pxerelay.tools.simulate.decode import HEADER
from tests.differential.cases import CLIENT_MAC, STRANGER, SUBNET_BROADCAST, Arrival, Case, Outcome
from tests.lab.frames import EVERYONE, Checksum
from tests.lab.relays import GIADDR
from tests.lab.topology import RELAY_CORE, RIS
from tests.unit.messages import COOKIE

NOTHING = "nothing"
UNSET = "0.0.0.0"
_NAMES = {
    GIADDR: "vlan10",
    RELAY_CORE: "core",
    RIS: "server",
    STRANGER: "stranger",
    EVERYONE: "everyone",
    SUBNET_BROADCAST: "subnet",
}
_FIELDS = tuple(field for field in HEADER if field[0] not in {"hops", "giaddr"})
"""What a relay agent may change is told in other words."""
_HEADER = 236


def outline(case: Case, outcome: Outcome) -> str:
    """Return the outcome of a case in words."""
    return " | ".join(_arrival(case, arrival) for arrival in outcome) or NOTHING


def _arrival(case: Case, arrival: Arrival) -> str:
    datagram = arrival.datagram
    destination = f"{_address(case, datagram.destination)}:{datagram.port}"
    if arrival.at == "client":
        destination += f" at {_hardware(case, datagram.hardware)}"
    elif arrival.at != _NAMES.get(datagram.destination):
        destination += f" on the wire of {arrival.at}"
    source = "sender" if datagram.source == case.delivery.source else _address(case, datagram.source)
    checksum = "" if datagram.checksum is Checksum.GOOD else f", checksum {datagram.checksum.value}"
    changes = ", ".join(_changes(case.message, datagram.payload)) or "unchanged"
    return f"{destination} from {source}:{datagram.source_port}{checksum}; {changes}"


def _address(case: Case, address: str) -> str:
    packed = IPv4Address(address).packed
    if address in _NAMES or address == UNSET:
        return _NAMES.get(address, address)
    if len(case.message) >= _HEADER:
        for name, at in (("ciaddr", 12), ("yiaddr", 16), ("giaddr", 24)):
            if case.message[at : at + 4] == packed:
                return name
    return address


def _hardware(case: Case, hardware: str) -> str:
    if hardware == "ff:ff:ff:ff:ff:ff":
        return "all"
    if hardware == CLIENT_MAC and case.message[28:34].hex(":") != hardware:
        return "client"
    return "chaddr" if case.message[28:34].hex(":") == hardware else hardware


def without_agent_info(message: bytes) -> tuple[bytes, list[bytes]]:
    """Return the message without the options 82 of its options area, and their values."""
    kept, found, rest = message[: _HEADER + len(COOKIE)], [], _HEADER + len(COOKIE)
    for start, rest in _tokens(message):
        if message[start] == 82:
            found.append(message[start + 2 : rest])
        else:
            kept += message[start:rest]
    return kept + message[rest:], found


def _tokens(message: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of every option and pad up to END, whatever becomes of the last one."""
    start = _HEADER + len(COOKIE)
    if message[_HEADER:start] != COOKIE:
        return
    while start < len(message) and message[start] != 255:
        size = 1 if message[start] == 0 else 2 + (message[start + 1 : start + 2] or b"\0")[0]
        yield start, start + size
        start += size


def _options(message: bytes) -> list[bytes]:
    return [message[start:end] for start, end in _tokens(message) if message[start]]


def _value(agent_info: bytes) -> str:
    """Return the value of an option 82 in words, if it is one circuit id."""
    is_circuit = agent_info[:1] == b"\1" and agent_info[1:2] == bytes((len(agent_info) - 2,))
    return f"circuit {agent_info[2:].decode(errors='replace')}" if is_circuit else agent_info.hex()


def _stands_behind_pads(message: bytes) -> bool:
    codes = [message[start] for start, _ in _tokens(message)]
    return 82 in codes and codes[: codes.index(82)][-1:] == [0]


def _changes(before: bytes, after: bytes) -> list[str]:
    found = []
    if before[3:4] != after[3:4]:
        step = (after + bytes(4))[3] - before[3]
        found.append(f"hops {step:+}")
    if before[24:28] != after[24:28]:
        giaddr = str(IPv4Address(after[24:28]))
        found.append("giaddr ours" if giaddr == GIADDR else f"giaddr {giaddr}")
    found += [f"{name} changed" for name, start, end in _FIELDS if before[start:end] != after[start:end]]
    behind_pads = " behind pads" if _stands_behind_pads(after) else ""
    before, had = without_agent_info(before)
    after, has = without_agent_info(after)
    if not had and len(has) == 1:
        found.append(f"option 82 with {_value(has[0])} added{behind_pads}")
    elif had != has:
        found.append("option 82 removed" if not has else f"option 82 {len(had)} before, {len(has)} after")
    shared = min(len(before), len(after))
    if before[_HEADER:shared] != after[_HEADER:shared]:
        found.append("pads left out" if _options(before) == _options(after) else "options changed")
    if len(after) < len(before):
        found.append(f"{_kind(before[len(after) :])} cut")
    elif len(after) > len(before):
        found.append(f"{_kind(after[len(before) :])} added")
    return found


def _kind(octets: bytes) -> str:
    if octets == b"\xff":
        return "END"
    if not any(octets):
        return "padding"
    return "octets" if octets[-1] else "octets and padding"
