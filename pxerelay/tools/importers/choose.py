"""Which of several files are read as what: those of one format, and those that say nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pxerelay.tools.importers import dnsmasq
from pxerelay.tools.importers.formats import ETHERS, FORMATS, foreign, is_list, is_silent, recognise
from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source, printable

_LIST = "mac-list"
_ETHERS_ALONE = (
    "this is an /etc/ethers: it has MACs and their names or addresses, and says of nobody where it boots "
    "from. "
    "Import it together with the dnsmasq.conf that has read-ethers"
)
NO_ADDRESS = "write NAME=ADDRESS, such as ris=10.20.0.10"
"""What is wrong with --server NAME, where the result needs an address."""


class UnknownError(Exception):
    """Files that are in no format, or in several; the message says what they are and what to do."""


def read(sources: Sequence[Source], wanted: str | None, found: Found) -> str:
    """Read files; return the name of their format."""
    saying = [one for one in sources if not is_silent(one.text, one.name)] or list(sources)
    silent = [one.name for one in sources if one not in saying]
    if silent:
        found.notes.append(f"These files say nothing, all of them is comments: {', '.join(silent)}.")
    formats = {one.name: _format(one, wanted, found) for one in saying}
    if "dnsmasq" in formats.values():  # a file for dhcp-hostsfile may have nothing but MACs
        formats |= {one.name: "dnsmasq" for one in saying if is_list(one.text)}
    names = set(formats.values())
    ethers = [one for one in saying if formats[one.name] == ETHERS]
    if names == {"dnsmasq", ETHERS} and all(found.given.values()):
        others = [one for one in saying if one not in ethers]
        dnsmasq.read_with_ethers(others, ethers, found)
        return "dnsmasq"
    if names == {ETHERS}:
        raise UnknownError(f"{_listed(saying)}: {_ETHERS_ALONE}")
    if len(names) > 1 or None in names:
        raise UnknownError(_unknown(saying, formats))
    name = str(names.pop())
    if name != _LIST and not all(found.given.values()):
        raise UnknownError(f"--server {next(iter(found.given))}: {NO_ADDRESS}")
    FORMATS[name].read(saying, found)
    return name


def _format(source: Source, wanted: str | None, found: Found) -> str | None:
    name = recognise(source.text, source.name)
    if wanted:
        return ETHERS if name == ETHERS and wanted == "dnsmasq" else wanted
    if found.given and name in ("dhcrelay-hosts", None) and is_list(source.text):
        return _LIST
    return name


def _unknown(sources: Sequence[Source], formats: dict[str, str | None]) -> str:
    """Say what files are that can't be read together."""
    known = ", ".join(FORMATS)
    for source in sources:
        says = foreign(source.text) if formats[source.name] is None else ""
        if says:
            return f"{printable(source.name)}: this is {says}"
    if None in formats.values():
        unknown = [source for source in sources if formats[source.name] is None]
        return f"{_listed(unknown)}: can't tell the format of this; say which by --from: {known}"
    each = ", ".join(f"{printable(name)} is {format_}" for name, format_ in formats.items())
    return f"not all files are in one format: {each}; import each by itself, or say which by --from: {known}"


def _listed(sources: Sequence[Source]) -> str:
    return ", ".join(printable(source.name) for source in sources)
