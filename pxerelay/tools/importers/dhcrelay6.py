"""ISC dhcrelay -6: its command line to what DHCPv6 needs.

    dhcrelay -6 -l [ADDRESS%]NAME[#INDEX] ... -u [ADDRESS%]NAME ... [-c COUNT] [-p PORT] [-I] [-s ID]

-l names an interface with clients, with its link-address, -u one with servers, with the address of one;
without an address that is the group of all servers (dhcrelay(8)).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from pxerelay.config.findings import did_you_mean
from pxerelay.policy.servers import can_be_server
from pxerelay.tools.importers.found import Found, Interface, address6
from pxerelay.tools.importers.source import Source, Word, printable, quoted

_MOST_HOPS = 8
"""No relay agent lets more pass (RFC 9915, 7.6)."""

_THEIR_HOPS = 10
"""What dhcrelay takes for -c."""

_UNCHANGED = "nothing to set"
_FLAGS = {
    "-6": "",
    "-d": f"{_UNCHANGED}: pxerelay run stays in the foreground.",
    "-q": f"{_UNCHANGED}: pxerelay prints no banner.",
    "--no-pid": f"{_UNCHANGED}: pxerelay writes no pid file.",
    "-I": (
        f"{_UNCHANGED}: pxerelay always says an Interface-Id. It is the interface's name, dhcrelay's is "
        "a number; servers that go by it need the name."
    ),
}
"""Options without a value, and what their comment says."""

_VALUES = {
    "-p": "no counterpart: pxerelay uses the ports of RFC 9915, 546 and 547.",
    "-pf": f"{_UNCHANGED}: pxerelay writes no pid file; systemd knows the process.",
    "-s": "no counterpart: pxerelay sends no subscriber id (option 38).",
}
_TAKING = frozenset({*_VALUES, "-c", "-l", "-u"})
_OF_V4 = frozenset({"-4", "-i", "-id", "-iu", "-a", "-A", "-D", "-m", "-U", "-g", "-rp", "-ch"})
"""Options that dhcrelay -6 refuses."""

ROUTERS = (
    "dhcrelay -6 relays for every router that asks. pxerelay does for those whose address "
    "accept_relayed_from names, such as accept_relayed_from: [2001:db8:10::/48]; by default none."
)
MAC = (
    "dhcrelay -6 does not tell servers the MAC of clients; pxerelay does (option 79), unless client_mac is "
    "false."
)

_LOWER = re.compile(r"(?:(?P<address>[^%]*)%)?(?P<name>[^%#]+)(?:#(?P<index>.*))?")


@dataclass
class _Told:
    servers: list[str] = field(default_factory=list)
    uppers: list[str] = field(default_factory=list)
    hops: int = _THEIR_HOPS
    hops_comment: str = "dhcrelay's own default is -c 10; RFC 9915, 7.6, ends at 8"


def is_meant(words: Sequence[Word]) -> bool:
    """Whether a command line is that of a dhcrelay -6."""
    return any(word.text in ("-6", "-l", "-u") for word in words)


def take(source: Source, words: Sequence[Word], found: Found) -> bool:
    """Take all words of a command line, and return whether -u is among them."""
    told, asked = _Told(), False
    remaining = iter(words)
    for word in remaining:
        if word.text in _TAKING:
            value = next(remaining, None)
            asked |= word.text == "-u"
            if value is None:
                found.fault(source, word, f"{word.text} needs a value behind it")
            else:
                _option(source, word, value, told, found)
        elif word.text in _FLAGS:
            if _FLAGS[word.text]:
                found.settings.remarks.append(f"{word.text}: {_FLAGS[word.text]}")
        elif word.text in _OF_V4:
            message = f"{word.text} is for DHCPv4, and dhcrelay -6 refuses it; import each command by itself"
            found.fault(source, word, message)
        elif word.text.startswith("-"):
            hint = did_you_mean(word.text, [*_FLAGS, *_TAKING]) if len(word.text) < 16 else ""
            found.fault(source, word, f"{quoted(word.text)} is no option of dhcrelay -6 4.4{hint}")
        else:
            message = f"{quoted(word.text)} stands for no server with -6; write -u ADDRESS%INTERFACE"
            found.fault(source, word, message)
    _settle(told, found)
    return asked


def _option(source: Source, option: Word, value: Word, told: _Told, found: Found) -> None:
    name, text, remarks = option.text, value.text, found.settings.remarks
    if name in _VALUES:
        remarks.append(f"{name} {text}: {_VALUES[name]}")
    elif name == "-c":
        if text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= 255:
            told.hops = int(text)
            told.hops_comment = f"-c {told.hops}"
        else:
            found.fault(source, value, f"{quoted(text)} is no number of hops; write one from 1 to 255")
    elif name == "-l":
        _lower(source, value, found)
    else:
        _upper(source, value, told, found)


def _lower(source: Source, value: Word, found: Found) -> None:
    """Take an interface with clients."""
    match = _LOWER.fullmatch(value.text)
    interface = value._replace(text=match["name"] if match else value.text)
    if match is None or not found.interface(source, interface):
        if match is None:
            found.fault(source, value, f"{quoted(value.text)} is no interface; write -l vlan10")
        return
    link_address = ""
    if match["address"] is not None:
        address = _usable(match["address"])
        if address is None:
            message = (
                f"{quoted(match['address'])} is no link-address; write a global IPv6 address of the interface"
            )
            found.fault(source, value, message)
        else:
            link_address = str(address)
    if match["index"] is not None:
        found.settings.remarks.append(
            f"-l {printable(value.text)}: no counterpart for #{printable(match['index'])}; the Interface-Id "
            "is the interface's name."
        )
    found.settings.interfaces.setdefault(interface.text, Interface(link_address=link_address))


def _usable(text: str) -> IPv6Address | None:
    found = address6(text)
    return found if found is not None and can_be_server(found) else None  # what may be one host's address


def _upper(source: Source, value: Word, told: _Told, found: Found) -> None:
    """Take a server; the interface behind its address says nothing more, for the route to it tells that."""
    address, sign, name = value.text.partition("%")
    parsed = address6(address) if sign else None
    if not sign or (parsed is not None and parsed.is_multicast):
        group = str(parsed) if parsed else "ff05::1:3, all servers"
        found.fault(
            source,
            value,
            f"this asks the group {group}, on {quoted(name or address)}, and pxerelay asks servers by their "
            f"address: write each as -u ADDRESS%INTERFACE",
        )
        return
    word = value._replace(text=str(parsed) if parsed else address)
    if found.server(source, word, 6):
        told.servers.append(word.text)
        told.uppers.append(name)


def _settle(told: _Told, found: Found) -> None:
    settings = found.settings
    found.default = tuple(dict.fromkeys([*found.default, *told.servers]))
    if told.uppers:
        names = ", ".join(map(printable, dict.fromkeys(told.uppers)))
        settings.remarks.append(f"-u: the route to a server tells its interface, so %{names} is left out.")
    settings.keys["max_hops"] = min(told.hops, _MOST_HOPS), f"more are dropped; {told.hops_comment}"
    settings.remarks.extend((ROUTERS, MAC))
