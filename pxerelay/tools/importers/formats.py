"""The formats that can be imported, and which of them a text is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pxerelay.tools.importers import dhcpd, dhcplb, dhcrelay, dnsmasq, hosts
from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source


class Format(NamedTuple):
    """How to read a format, what it is in words, and what tells a text that is in it."""

    read: Callable[[Sequence[Source], Found], None]
    meaning: str
    mark: re.Pattern[str]


_HEX = r"[0-9A-Fa-f?*]{1,4}"

FORMATS = {
    "dhcrelay-hosts": Format(
        hosts.read,
        "MAC ADDRESS # comment, for dhcrelay -ch",
        re.compile(rf"^[ \t]*{_HEX}([:.-]{_HEX}){{2,5}}([ \t]|$)", re.MULTILINE),
    ),
    "dnsmasq": Format(
        dnsmasq.read,
        "dnsmasq.conf, or a file for its dhcp-hostsfile",
        re.compile(
            rf"^[ \t]*((dhcp-[a-z-]+|pxe-[a-z]+|interface|bind-interfaces|enable-tftp|tftp-root)[ \t]*(=|$)"
            rf"|({_HEX}-)?{_HEX}(:{_HEX}){{5}}[ \t]*,)",
            re.MULTILINE,
        ),
    ),
    "isc-dhcpd": Format(
        dhcpd.read,
        "dhcpd.conf with host blocks and next-server",
        re.compile(
            r"^[^#\n]*(\b(host|group|subnet|shared-network|pool)\b[^#\n;]*\{|hardware\s+eth)", re.MULTILINE
        ),
    ),
    "dhcplb": Format(dhcplb.read, "dhcplb's overrides, JSON", re.compile(r"\A\s*\{")),
    "dhcrelay": Format(
        dhcrelay.read,
        "/etc/default/isc-dhcp-relay",
        re.compile(r"^[ \t]*(export[ \t]+)?(SERVERS|INTERFACES|OPTIONS)=", re.MULTILINE),
    ),
}
"""By the names that --from takes."""

_ORDER = ("dhcplb", "dhcrelay", "dnsmasq", "isc-dhcpd", "dhcrelay-hosts")
"""A line of one may look like a line of another, but then the first one here is meant."""

_TELLING = 300
"""Characters of a line that are looked at."""


def recognise(text: str) -> str | None:
    """Return the name of the format that a text is in, or None."""
    beginnings = "\n".join(line[:_TELLING] for line in Source("", text).lines)
    return next((name for name in _ORDER if FORMATS[name].mark.search(beginnings)), None)
