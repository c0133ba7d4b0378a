"""The options of dnsmasq that say something of boot servers, to a model of what it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network, NetmaskValueError

from pxerelay.tools.importers.dnsmasq_lines import MAC, Line, pattern, tags
from pxerelay.tools.importers.dnsmasq_model import SERVICES, Atom, Boot, Host, Model, Range, url_host
from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Word, quoted

_SERVER_OPTIONS = frozenset({"66", "option:tftp-server", "150", "option:server-ip-address"})
_BOOT_FILE_URL = frozenset({"option6:59", "option6:bootfile-url"})
_ARCH = frozenset({"93", "option:client-arch"})
_VENDOR = frozenset({"60", "option:vendor-class"})
_OF_EVERY_BOOTING_CLIENT = frozenset(
    {"55", "option:parameter-request", "57", "94", "97", "option:client-machine-id"}
)
"""Options that firmware sends whenever it boots (PXE 2.1, table 2-1)."""

_OTHERS = frozenset(
    {
        "dhcp-userclass",
        "dhcp-circuitid",
        "dhcp-remoteid",
        "dhcp-subscrid",
        "dhcp-name-match",
        "dhcp-generate-names",
    }
)
_ONLY_ADDRESS = re.compile(r"[ .:a-fA-F0-9]*")
_BEGINNINGS = ("PXEClient", "HTTPClient")
"""What option 60 of a booting client begins with (PXE 2.1, 2.2.3; UEFI 2.10, 24.7.2)."""

_WITHIN = re.compile(r":?Arch:\d{5}.*|:?UNDI:.*")


class Reader:
    """Takes lines into a model."""

    def __init__(self, found: Found) -> None:
        self.model = Model()
        self._found = found
        self._takers: dict[str, Callable[[Line], None]] = {
            "dhcp-boot": self._boot,
            "pxe-service": self._service,
            "dhcp-option": self._option,
            "dhcp-option-force": self._option,
            "dhcp-option-pxe": self._option,
            "dhcp-host": self._host,
            "dhcp-mac": self._mac,
            "dhcp-match": self._match,
            "dhcp-vendorclass": self._vendor_class,
            "dhcp-range": self._range,
            "tag-if": self._tag_if,
            "dhcp-ignore": self._ignore,
            "interface": self._interface,
        }

    def take(self, line: Line) -> None:
        """Take one line, if it says anything of boot servers."""
        taker = self._takers.get(line.key)
        if taker and line.words:
            taker(line)
        elif line.key in _OTHERS and line.words:
            tag = line.words[0].text.removeprefix("set:").removeprefix("tag:").removeprefix("net:")
            self.model.atoms.append(Atom(tag, "other", "", line))

    def _server(self, line: Line, word: Word) -> str | None:
        """Return a server, empty for dnsmasq's own host; None if it is none, which is named."""
        if word.text == "0.0.0.0":  # noqa: S104, what dnsmasq calls itself
            if not self._found.told.own_address:
                message = "0.0.0.0 is dnsmasq's own host; write its address, or say it by --self ADDRESS"
                self._found.fault(line.source, word, message)
                return None
            return ""
        return word.text if self._found.server(line.source, word) else None

    def _boot(self, line: Line) -> None:
        some, rest = tags(line.words)
        if not rest:
            return
        server: str | None = url_host(rest[0].text)
        word = rest[0]
        if len(rest) > 2 and rest[2].text:
            word = rest[2]
            server = self._server(line, word)
        elif len(rest) == 2 and rest[1].text and _is_address(rest[1].text):
            word = rest[1]
            self._found.fault(
                line.source,
                word,
                f"this is the server's name to dnsmasq, not its address, so that clients boot from "
                f"dnsmasq's own host; "
                f"write dhcp-boot={rest[0].text[:40]},,{word.text} if that is where they boot from",
            )
        if server is not None:
            self.model.boots.append(Boot(some, server, line, word))

    def _service(self, line: Line) -> None:
        some, rest = tags(line.words)
        if len(rest) < 3 or rest[2].text in ("", "0"):
            return  # boots from the local disk
        name = rest[0].text.lower()
        arch = (
            SERVICES.index(name)
            if name in SERVICES
            else int(name)
            if re.fullmatch("[0-9]{1,5}", name)
            else None
        )
        if arch is None:
            message = f"{quoted(name)} is no architecture of pxe-service, such as x86PC or X86-64_EFI"
            self._found.fault(line.source, rest[0], message)
            return
        server: str | None = ""
        word = rest[2]
        if len(rest) > 3 and rest[3].text:
            word = rest[3]
            server = self._server(line, word)
        if server is not None:
            self.model.services.append(Boot(some, server, line, word, arch))

    def _option(self, line: Line) -> None:
        some, rest = tags(line.words)
        while rest and re.fullmatch(r"[A-Za-z][\w-]*", rest[0].text):
            some, rest = (*some, rest[0].text), rest[1:]  # the form before `tag:`
        if rest and rest[0].text in _BOOT_FILE_URL:
            self._found.fault(
                line.source,
                rest[0],
                "this says where clients boot from by DHCPv6, which is not imported of dnsmasq; write rules "
                "or a default with the IPv6 address of that server, and dhcpv6: true",
            )
        if len(rest) > 1 and rest[0].text in _SERVER_OPTIONS and rest[1].text:
            server = self._server(line, rest[1])
            if server is not None:
                self.model.options.append(Boot(some, server, line, rest[1]))

    def _host(self, line: Line) -> None:
        host = Host(line)
        for word in line.words:
            text = word.text
            if MAC.fullmatch(text):
                host.macs.append((word, pattern(text)))
            elif text.startswith(("set:", "net:")):
                host.sets += (text[4:],)
            elif text.startswith("tag:"):
                host.needs += (text[4:],)
            elif text[:3].lower() == "id:":
                host.other |= text != "id:*"
            elif text == "ignore":
                host.ignore = True
            elif _is_address(text):
                host.address = IPv4Address(text)
            elif text and not re.fullmatch(r"[0-9]+[smhdwSMHDW]?|infinite|\[.*\]", text):
                host.name = text
        self.model.hosts.append(host)

    def _mac(self, line: Line) -> None:
        first, *rest = line.words
        some = (first.text.removeprefix("set:").removeprefix("net:").removeprefix("tag:"),)
        for word in rest:
            found = pattern(word.text) if MAC.fullmatch(word.text) else None
            if found:
                self.model.macs.append((found, some, line))

    def _match(self, line: Line) -> None:
        some, rest = _set_tags(line.words)
        if not rest:
            return
        option, values = rest[0].text, [word.text for word in rest[1:]]
        value = ",".join(values)
        if option in _ARCH and (value == "" or (number := _arch(value)) is not None):
            kind, text = "arch", "" if value == "" else str(number)
        elif option in _VENDOR:
            self._vendor(some, value, line)
            return
        elif option in _OF_EVERY_BOOTING_CLIENT and not value:
            kind, text = "arch", ""
        else:
            kind, text = "other", ""
        self.model.atoms.extend(Atom(tag, kind, text, line) for tag in some)

    def _vendor_class(self, line: Line) -> None:
        some, rest = _set_tags(line.words, at_least=1)
        if rest and rest[0].text.startswith("enterprise:"):
            return  # DHCPv6
        self._vendor(some, ",".join(word.text for word in rest), line)

    def _vendor(self, some: Iterable[str], text: str, line: Line) -> None:
        """Take what option 60 has somewhere: ours is about its beginning."""
        kind = "vendor"
        if re.fullmatch("([0-9a-fA-F]{2}:)+[0-9a-fA-F]{2}", text):
            text = bytes.fromhex(text.replace(":", "")).decode("latin-1")
        if not text.isprintable():
            kind = "other"
        self.model.atoms.extend(Atom(tag, kind, text, line) for tag in some)

    def _range(self, line: Line) -> None:
        rest = list(line.words)
        own, needs = "", []
        while rest and not _ONLY_ADDRESS.fullmatch(rest[0].text):
            text = rest.pop(0).text
            if text.startswith(("tag:", "net:")):
                needs.append(text[4:])
            else:
                own = text.removeprefix("set:")
        start = _address(rest[0].text) if rest else None
        if start is None:
            return  # DHCPv6
        end = _address(rest[1].text) if len(rest) > 1 else None
        mask = next((w.text for w in rest[2:3] if "." in w.text), None) or (
            rest[1].text if len(rest) > 1 and end is not None and int(end) >> 24 == 255 else None
        )
        end = max(end, start) if end is not None and int(end) >> 24 != 255 else start
        network = _network(start, end, mask)
        if network is None:
            self._found.fault(
                line.source, rest[2], f"{quoted(rest[2].text)} is no netmask, such as 255.255.255.0"
            )
            return
        for given, _ in self._found.told.interfaces if mask is None else ():
            if isinstance(given, IPv4Network) and start in given:
                network = given
        for address, _ in self._found.told.addresses if mask is None else ():
            if isinstance(address, IPv4Interface) and start in address.network:
                network = address.network
        self.model.ranges.append(Range(own, tuple(needs), start, end, network, line))

    def _tag_if(self, line: Line) -> None:
        texts = [word.text for word in line.words]
        some = tuple(text[4:] for text in texts if text.startswith("set:"))
        wanted = tuple(text[4:] for text in texts if text.startswith("tag:"))
        if some:
            self.model.tag_ifs.append((some, wanted))

    def _ignore(self, line: Line) -> None:
        self.model.ignores.append(
            tuple(word.text.removeprefix("tag:").removeprefix("net:") for word in line.words if word.text)
        )

    def _interface(self, line: Line) -> None:
        for word in line.words:
            if word.text not in ("", "lo") and self._found.interface(line.source, word):
                self.model.interfaces.append(word.text)


def ether(model: Model, mac: Word, name: Word) -> bool:
    """Give a MAC of /etc/ethers to the dhcp-host of that name or address; return whether there is one."""
    if pattern(mac.text) is None:
        return False
    for host in reversed(model.hosts):
        by_address = (
            host.address is not None and _is_address(name.text) and host.address == IPv4Address(name.text)
        )
        if by_address or (host.name and host.name.lower() == name.text.lower()):
            if not host.macs:
                first = host.line.words[0]
                host.macs.append((first._replace(text=mac.text), pattern(mac.text)))
            return True
    return False


def beginnings(text: str) -> tuple[str, ...]:
    """Return what option 60 begins with, where a text stands somewhere in it; empty if nobody can know."""
    if _WITHIN.fullmatch(text):
        return tuple(f"{beginning}:{text.lstrip(':')}" for beginning in _BEGINNINGS)
    if text.startswith(_BEGINNINGS) or any(one.startswith(text) for one in _BEGINNINGS):
        return (text,)
    return ()


def _set_tags(words: Sequence[Word], at_least: int = 0) -> tuple[list[str], list[Word]]:
    """Return the tags that a line sets, and the rest of it."""
    found, rest = [], list(words)
    while rest and rest[0].text.startswith(("set:", "net:", "tag:")):
        found.append(rest.pop(0).text[4:])
    if not found and rest and (at_least or re.fullmatch(r"[A-Za-z][\w-]*", rest[0].text)):
        found.append(rest.pop(0).text)  # the form before `set:`
    return found, rest


def _arch(text: str) -> int | None:
    if re.fullmatch("[0-9]{1,5}", text):
        return int(text) if int(text) < 65536 else None
    if re.fullmatch("[0-9a-fA-F]{1,2}:[0-9a-fA-F]{1,2}", text):
        high, low = text.split(":")
        return int(high, 16) << 8 | int(low, 16)
    return None


def _is_address(text: str) -> bool:
    return _address(text) is not None


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def _network(start: IPv4Address, end: IPv4Address, mask: str | None) -> IPv4Network | None:
    """Return the network of a range; where its mask is that of an interface, the usual one around it."""
    if mask is not None:
        try:
            return IPv4Network(f"{start}/{mask}", strict=False)
        except (NetmaskValueError, ValueError):
            return None
    length = 24
    while length and end not in IPv4Network(f"{start}/{length}", strict=False):
        length -= 1
    return IPv4Network(f"{start}/{length}", strict=False)
