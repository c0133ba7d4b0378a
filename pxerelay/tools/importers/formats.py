"""The formats that can be imported, and those that are known and can't be; which of them a text is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pxerelay.tools.importers import (
    dhcpd,
    dhcplb,
    dhcrelay,
    dnsmasq,
    hosts,
    kea,
    openwrt,
    routers,
    table,
)
from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source


class Format(NamedTuple):
    """How to read a format, what it is in words, and what tells a text that is in it."""

    read: Callable[[Sequence[Source], Found], None]
    meaning: str
    mark: re.Pattern[str]


_HEX = r"[0-9A-Fa-f?*]{1,4}"
_MAC = rf"({_HEX}([:.-]{_HEX}){{2,5}}|[0-9A-Fa-f]{{12}})"

FORMATS = {
    "dhcrelay-hosts": Format(
        hosts.read,
        "MAC ADDRESS # comment, for dhcrelay -ch",
        re.compile(rf"^[ \t]*{_HEX}([:.-]{_HEX}){{2,5}}([ \t]|$)", re.MULTILINE),
    ),
    "dnsmasq": Format(
        dnsmasq.read,
        "dnsmasq.conf, or a file for its dhcp-hostsfile; with /etc/ethers where that has the addresses",
        re.compile(
            rf"^[ \t]*((dhcp-[a-z-]+|pxe-[a-z]+|tag-if|interface|bind-interfaces|enable-tftp|tftp-root"
            rf"|conf-dir|conf-file|read-ethers|listen-address|except-interface)[ \t]*(=|$)"
            rf"|({_HEX}-)?{_HEX}(:{_HEX}){{5}}[ \t]*,)",
            re.MULTILINE,
        ),
    ),
    "isc-dhcpd": Format(
        dhcpd.read,
        "dhcpd.conf: hosts, subnets and their next-server",
        re.compile(
            r"^[^#\n]*(\b(host|group|subnet|shared-network|pool)\b[^#\n;]*\{|hardware\s+eth)"
            r"|^[ \t]*(next-server|filename|include|default-lease-time|ddns-update-style)\b[^#\n=]*;",
            re.MULTILINE,
        ),
    ),
    "kea": Format(
        kea.read,
        "kea-dhcp4.conf and kea-dhcp6.conf of ISC Kea, with the files that they include",
        re.compile(r'"Dhcp[46]"\s*:|"hw-address"\s*:|"subnet4"\s*:', re.MULTILINE),
    ),
    "dhcplb": Format(
        dhcplb.read, "dhcplb's overrides, JSON", re.compile(r"\A\s*\{(?=.*\"v[46]\"\s*:)", re.DOTALL)
    ),
    "dhcrelay": Format(
        dhcrelay.read,
        "/etc/default/isc-dhcp-relay, /etc/sysconfig/dhcrelay, or systemd units with their drop-ins",
        re.compile(
            rf"^[ \t]*(export[ \t]+)?({'|'.join(dhcrelay.VARIABLES)})=|^ExecStart[ \t]*=.*\bdhcrelay\b",
            re.MULTILINE,
        ),
    ),
    "openwrt": Format(
        openwrt.read,
        "/etc/config/dhcp of OpenWrt",
        re.compile(r"^[ \t]*config\s+['\"]?(dnsmasq|dhcp|host|boot|relay|odhcpd)\b", re.MULTILINE),
    ),
    "cisco": Format(
        routers.read_cisco,
        "running-config of Cisco IOS, IOS XE or NX-OS, or of Arista EOS: ip helper-address, ipv6 dhcp relay",
        re.compile(
            r"^[ \t]*ip (helper-address|dhcp relay address)\s|^[ \t]*ip address \d[\d.]+[ /]\d"
            r"|^[ \t]*ipv6 (helper-address|dhcp relay (destination|address))\s",
            re.MULTILINE,
        ),
    ),
    "junos": Format(
        routers.read_junos,
        "configuration of Junos, in braces or as set commands: dhcp-relay and its dhcpv6, helpers bootp",
        re.compile(
            r"^[ \t]*set (interfaces|forwarding-options|system) "
            r"|^[ \t]*(forwarding-options|dhcp-relay|helpers)[ \t]*\{",
            re.MULTILINE,
        ),
    ),
    "fortios": Format(
        routers.read_fortios,
        "configuration of FortiOS: dhcp-relay-ip, dhcp6-relay-ip",
        re.compile(r"^[ \t]*config system interface\b|^[ \t]*set dhcp6?-relay-(ip|service)\b", re.MULTILINE),
    ),
    "csv": Format(
        table.read,
        "a table with a header: mac, server, owner, note, until; any delimiter",
        table.MARK,
    ),
    "mac-list": Format(
        hosts.read_list,
        "one MAC in each line; all go to the one --server",
        re.compile(rf"^[ \t]*{_MAC}[ \t]*(#.*)?$", re.MULTILINE),
    ),
}
"""By the names that --from takes."""

_ORDER = (
    "kea",
    "dhcplb",
    "openwrt",
    "fortios",
    "junos",
    "dhcrelay",
    "csv",
    "isc-dhcpd",
    "dnsmasq",
    "cisco",
    "dhcrelay-hosts",
)
"""A line of one may look like a line of another, but then the first one here is meant."""

ETHERS = "ethers"
"""What /etc/ethers is in; it says where nobody boots from, and goes with a dnsmasq.conf."""

_TELLING = 300
"""Characters of a line that are looked at."""

_ETHERS_LINE = re.compile(rf"{_HEX}(:{_HEX}){{5}}\s+(?![0-9.]+$)[A-Za-z0-9_-]+")
_SKIPPED = re.compile(r"(?i)^(readme.*|.*\.(dpkg|ucf)-[a-z]+|.*~)$")
"""Names of files that no program reads as its configuration."""


class Foreign(NamedTuple):
    """A format that is known and can't be imported, and what to do."""

    mark: re.Pattern[str]
    says: str


_FOREIGN = (
    Foreign(
        re.compile(r"\A\s*<\?xml[^>]*>\s*<(pfsense|opnsense)"),
        "the config.xml of pfSense or OPNsense; export the reservations as CSV with the columns mac and "
        "server",
    ),
    Foreign(
        re.compile(r"\A\s*<\?xml[^>]*>\s*<DHCPServer"),
        "an export of a Windows DHCP server; Export-Csv of Get-DhcpServerv4Reservation is a table that can "
        "be imported: --column mac=ClientId",
    ),
    Foreign(
        re.compile(r"(?im)^[ \t]*(dhcp server .*\badd (reservedip|scope)\b|netsh dhcp)"),
        "a dump of netsh dhcp; Export-Csv of Get-DhcpServerv4Reservation is a table that can be imported: "
        "--column mac=ClientId",
    ),
    Foreign(
        re.compile(r"(?m)^[ \t]*/ip dhcp-(server|relay)|^[ \t]*/ip/dhcp-(server|relay)"),
        "an export of RouterOS; write each dhcp-relay's dhcp-server under default and its router under "
        "accept_relayed_from, or export leases as CSV with mac and server",
    ),
    Foreign(
        re.compile(r"(?m)^lease \d[\d.]* \{"),
        "a dhcpd.leases; the leases say nothing of boot servers, dhcpd.conf does",
    ),
    Foreign(
        re.compile(r"(?m)^[ \t]*(siaddr|boot_file|lease_file|static_lease|sname)\s"),
        "an udhcpd.conf; its siaddr is `default:`, and static_lease says nothing of boot servers",
    ),
    Foreign(
        re.compile(r"(?m)^\[(DHCPServer|Match|Network)\]"),
        "a .network file of systemd-networkd; its BootServerAddress is the default of that interface, "
        "RelayTarget the default of a relay",
    ),
    Foreign(
        re.compile(r"(?m)^[ \t]*(request|require|supersede|prepend) [a-z]"),
        "a dhclient.conf, for clients; the server's dhcpd.conf says where they boot from",
    ),
    Foreign(
        re.compile(r"(?m)^[ \t]*(set )?(service|protocols) dhcp-(relay|server)\b|shared-network-name"),
        "a configuration of VyOS or EdgeOS; its `dhcp-relay server` is `default:`, its interfaces are "
        "`interfaces:`",
    ),
    Foreign(
        re.compile(r"(?m)^[ \t]*(dhcp relay server-ip|dhcp select relay|dhcp-relay server-select)\s"),
        "a configuration of Huawei VRP or H3C Comware; write the server under default, and the VLAN "
        "addresses under accept_relayed_from",
    ),
    Foreign(
        re.compile(r"(?m)^[ \t]*DHCPHELPER_OPTS="),
        "/etc/default/dhcp-helper; its -s is `default:`, its -i are `interfaces:`",
    ),
    Foreign(
        re.compile(r"(?m)^(default|rules|servers|interfaces):(\s|$)"),
        "a configuration of pxerelay already; `pxerelay check` reads it",
    ),
    Foreign(
        re.compile(r"(?m)^[ \t]*(server\.?|plugins:|- (range|nbp|server_id|file):)"),
        "a configuration of coredhcp; its plugin nbp says `default:`, and its file of leases nothing of "
        "boot servers",
    ),
    Foreign(re.compile(r"\A\s*<"), "XML or HTML; export the clients as CSV with the columns mac and server"),
    Foreign(
        re.compile(r"\A\s*[\[{]"),
        "JSON of some other program; only Kea's and dhcplb's are known. Export the clients as CSV with the "
        "columns mac and server",
    ),
)
"""In the order in which they are looked for."""


def recognise(text: str, name: str = "") -> str | None:
    """Return the name of the format that a text is in, or None. `name` is that of the file, if it has one."""
    lines = [line[:_TELLING] for line in Source("", text).lines]
    if name.rpartition("/")[2] == ETHERS or _is_ethers(lines):
        return ETHERS
    beginnings = "\n".join(lines)
    return next((name for name in _ORDER if FORMATS[name].mark.search(beginnings)), None)


def _is_ethers(lines: Sequence[str]) -> bool:
    said = [line.partition("#")[0].strip() for line in lines]
    said = [line for line in said if line]
    return bool(said) and sum(_ETHERS_LINE.fullmatch(line) is not None for line in said) * 2 > len(said)


def is_list(text: str) -> bool:
    """Whether there is nothing but a MAC in each line."""
    said = [line[:_TELLING] for line in Source("", text).lines if line.strip() and line.lstrip()[0] != "#"]
    return bool(said) and all(FORMATS["mac-list"].mark.fullmatch(line) for line in said)


def is_silent(text: str, name: str = "") -> bool:
    """Whether a file says nothing: all of it is comments, or no program reads a file of that name."""
    return bool(_SKIPPED.match(name.rpartition("/")[2])) or all(
        not line.strip() or line.lstrip().startswith(("#", ";", "//", "!")) for line in Source("", text).lines
    )


def foreign(text: str) -> str:
    """Return what a text is, if it is in a format that is known and can't be imported, and what to do."""
    beginnings = "\n".join(line[:_TELLING] for line in Source("", text).lines[:5000])
    return next((one.says for one in _FOREIGN if one.mark.search(beginnings)), "")
