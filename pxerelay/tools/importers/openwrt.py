"""OpenWrt: /etc/config/dhcp, whose sections are options of dnsmasq (its init script makes these of them)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pxerelay.tools.importers import dnsmasq
from pxerelay.tools.importers.dnsmasq_lines import Line, split
from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source, Word, quoted

_PIECE = re.compile(r"'([^']*)'|\"([^\"]*)\"|([^\s'\"#]+)")


_LONGEST_DEVICE = 64


@dataclass
class _Section:
    """A section; `values` has the words of each option, those of a list one after the other."""

    kind: str
    name: str
    place: Word
    values: dict[str, list[Word]] = field(default_factory=dict)

    def words(self, option: str) -> list[Word]:
        """Return the words of an option, which may hold several with blanks in between."""
        return [
            word._replace(text=text, column=word.column + match_start)
            for word in self.values.get(option, ())
            for text, match_start in ((m[0], m.start()) for m in re.finditer(r"\S+", word.text))
        ]

    def first(self, option: str) -> Word | None:
        """Return an option's only value, None if it is not there or empty."""
        return next((word for word in self.values.get(option, ()) if word.text), None)


def read(sources: Sequence[Source], found: Found) -> None:
    """Read all files as one configuration."""
    files = [
        [line for section in _sections(source, found) for line in _lines(source, section)]
        for source in sources
    ]
    dnsmasq.read_lines(files, (), found)
    networks = {
        word.text: (line.source, word)
        for file in files
        for line in file
        if line.key == "interface"
        for word in line.words
    }
    for name, (source, word) in networks.items():
        entry = found.settings.interfaces.pop(name, None)
        if entry is None:
            continue
        device = found.told.networks.get(name)
        if device is None:
            device = f"br-{name}"[:_LONGEST_DEVICE]
            found.fault(
                source,
                word,
                f"clients of the network {quoted(name)} have a server of their own: which device is that? "
                f"Say so "
                f"by --interface {name}=DEVICE, as /etc/config/network has it; now {device} stands in its "
                f"place",
            )
        found.settings.interfaces[device] = entry._replace(comment=f"the network {name}")


def _sections(source: Source, found: Found) -> Iterator[_Section]:
    here: _Section | None = None
    for number, line in enumerate(source.lines, 1):
        words = [
            Word(next(group for group in match.groups() if group is not None), number, match.start() + 1)
            for match in _PIECE.finditer(
                line.partition(" #")[0] if "'" not in line and '"' not in line else line
            )
        ]
        if not words or line.lstrip().startswith("#"):
            continue
        key = words[0].text
        if key == "config" and len(words) > 1:
            if here:
                yield here
            here = _Section(words[1].text, words[2].text if len(words) > 2 else "", words[0])
        elif key in ("option", "list") and len(words) > 2 and here is not None:
            values = here.values.setdefault(words[1].text, [])
            if key == "option":
                values.clear()
            values.append(words[2])
        elif key in ("option", "list") and len(words) == 2 and here is not None:
            here.values.setdefault(words[1].text, [])
        elif key != "package":
            found.fault(
                source,
                words[0],
                f"{quoted(line.strip())} is none of config, option and list, as in option ip '10.1.1.5'",
            )
    if here:
        yield here


def _lines(source: Source, section: _Section) -> Iterator[Line]:
    """Yield the options of dnsmasq that the init script makes of a section."""

    def line(key: str, *words: Word) -> Line:
        return Line(source, key, list(words), "")

    def put(word: Word, text: str) -> Word:
        return word._replace(text=text)

    network = section.first("networkid") or section.first("tag")
    if section.kind == "host":
        yield from _host(source, section)
    elif section.kind == "boot":
        name, server, address = (section.first(one) for one in ("filename", "servername", "serveraddress"))
        if name:
            words = [put(network, f"tag:{network.text}")] if network else []
            words += [name, server or put(name, "")]
            words += [address] if address else []
            yield line("dhcp-boot", *words)
            yield from _options(source, section, network)
    elif section.kind == "dnsmasq":
        for word in section.values.get("dhcp_boot", ()):
            yield line("dhcp-boot", *split(word.text, word.line, 0)[0])
    elif section.kind == "dhcp":
        name = section.first("interface")
        if name and not section.first("ignore"):
            yield line("interface", name)
            yield from _options(source, section, network or name)
    elif section.kind == "tag" and section.name:
        yield from _options(source, section, put(section.place, section.name))
    elif (
        section.kind in ("match", "vendorclass", "userclass", "mac", "circuitid", "remoteid", "subscrid")
        and network
    ):
        value = section.first({"circuitid": "circuitid"}.get(section.kind, section.kind))
        if value:
            rest = split(value.text, value.line, 0)[0]
            yield line(
                f"dhcp-{section.kind}",
                put(network, f"set:{network.text}"),
                *(word._replace(column=value.column + word.column - 1) for word in rest),
            )
    elif section.kind == "relay":
        local, server = section.first("local_addr"), section.first("server_addr")
        if local and server:
            yield line("dhcp-relay", local, server)


def _host(source: Source, section: _Section) -> Iterator[Line]:
    words = list(section.words("mac"))
    words += [
        word._replace(text=f"set:{word.text}") for word in section.words("tag") + section.words("networkid")
    ]
    words += [word._replace(text=f"tag:{word.text}") for word in section.words("match_tag")]
    words += section.words("ip")[:1]
    name = section.first("name")
    if not words:
        return
    yield Line(source, "dhcp-host", words, name.text if name else "")


def _options(source: Source, section: _Section, tag: Word | None) -> Iterator[Line]:
    """Yield the options that clients with a tag get."""
    for word in [*section.values.get("dhcp_option", ()), *section.values.get("dhcp_option_force", ())]:
        rest = [
            one._replace(column=word.column + one.column - 1) for one in split(word.text, word.line, 0)[0]
        ]
        head = [tag._replace(text=f"tag:{tag.text}")] if tag else []
        yield Line(source, "dhcp-option", [*head, *rest], "")
