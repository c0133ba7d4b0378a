"""What `doctor` finds. `docs/doctor.md` has a section for each code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(str, Enum):
    """Clients are not served; they may not be some day, or not all of them; nothing is wrong."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(Enum):
    """The kinds of findings; the values stay what they are."""

    NO_DAEMON = "no-daemon"
    CONFIG_NOT_IN_FORCE = "config-not-in-force"
    METRICS_NOT_SERVED = "metrics-not-served"
    CAPABILITIES = "capabilities"
    PORT_67_TAKEN = "port-67-taken"
    PORT_547_TAKEN = "port-547-taken"
    RECEIVE_BUFFER = "receive-buffer"
    CLOCK_BEHIND = "clock-behind"
    NOTHING_TO_RELAY = "nothing-to-relay"
    INTERFACE_MISSING = "interface-missing"
    GLOB_MATCHES_NOTHING = "glob-matches-nothing"
    INTERFACE_DOWN = "interface-down"
    NO_CARRIER = "no-carrier"
    INTERFACE_ENSLAVED = "interface-enslaved"
    NO_ADDRESS = "no-address"
    ADDRESS_SCOPE = "address-scope"
    NO_ETHERNET = "no-ethernet"
    LOOPBACK = "loopback"
    ALREADY_NAMED = "already-named"
    HOST_NETMASK = "host-netmask"
    GIADDR_NOT_OURS = "giaddr-not-ours"
    GIADDR_SHARED = "giaddr-shared"
    SOURCE_NOT_OURS = "source-not-ours"
    ANY_SOURCE_PORT = "any-source-port"
    IPV6_DISABLED = "ipv6-disabled"
    NO_LINK_LOCAL = "no-link-local"
    ADDRESS_DUPLICATE = "address-duplicate"
    NO_GLOBAL_ADDRESS = "no-global-address"
    LINK_ADDRESS_NOT_OURS = "link-address-not-ours"
    ADDRESSES_LOST_ON_DOWN = "addresses-lost-on-down"
    GROUPS_EXHAUSTED = "groups-exhausted"
    NEIGHBOURS_FEW = "neighbours-few"
    NO_ADVERTISEMENTS = "no-advertisements"
    ADVERTISEMENTS_WITHOUT_DHCPV6 = "advertisements-without-dhcpv6"
    INTERFACE_WAITS = "interface-waits"
    SERVER_NOT_RESOLVED = "server-not-resolved"
    SERVER_IS_THIS_HOST = "server-is-this-host"
    NO_ROUTE = "no-route"
    NO_ROUTE_LEARNT = "no-route-learnt"
    ROUTE_WITHOUT_CARRIER = "route-without-carrier"
    ROUTE_INTO_CLIENT_VLAN = "route-into-client-vlan"
    ROUTE_LEAVES_VRF = "route-leaves-vrf"
    NO_ROOM_FOR_OPTION82 = "no-room-for-option82"
    RP_FILTER = "rp-filter"
    INPUT_CLOSED = "input-closed"
    NOT_SENT = "not-sent"
    SERVER_SILENT = "server-silent"
    NEXT_HOP_SILENT = "next-hop-silent"
    SERVER_SLOW = "server-slow"
    ANSWER_LOST_HERE = "answer-lost-here"
    ANSWERS_BY_BROADCAST = "answers-by-broadcast"
    ANSWER_NOT_TO_GIADDR = "answer-not-to-giaddr"
    ANSWER_TO_WRONG_PORT = "answer-to-wrong-port"
    ANSWER_TOO_LARGE = "answer-too-large"
    ANSWER_FROM_STRANGER = "answer-from-stranger"
    ANSWER_BY_CLIENT_VLAN = "answer-by-client-vlan"
    ANSWER_FROM_OTHER_PORT = "answer-from-other-port"
    ANSWER_DROPPED = "answer-dropped"
    NO_SUBNET_THERE = "no-subnet-there"
    NO_BOOT_FILE = "no-boot-file"
    ASKS_PORT_4011 = "asks-port-4011"
    PORT_4011_CLOSED = "port-4011-closed"
    PORT_4011_SILENT = "port-4011-silent"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: with what (an interface, a server, the host), and what to do, in steps."""

    severity: Severity
    code: Code
    subject: str
    message: str
    advice: tuple[str, ...] = ()


def error(code: Code, subject: str, message: str, *advice: str) -> Finding:
    """Return a finding that keeps clients from being served."""
    return Finding(Severity.ERROR, code, subject, message, advice)


def warning(code: Code, subject: str, message: str, *advice: str) -> Finding:
    """Return a finding that may, or some of them."""
    return Finding(Severity.WARNING, code, subject, message, advice)


def note(code: Code, subject: str, message: str, *advice: str) -> Finding:
    """Return what is to be known, and is no reason to exit with 1."""
    return Finding(Severity.NOTE, code, subject, message, advice)
