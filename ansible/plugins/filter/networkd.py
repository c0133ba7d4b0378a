"""From Ansible's variables to the files that have systemd-networkd make VLAN interfaces.

Pure functions on plain data. Faults of the inventory are all raised at once, each naming its variable and
entry; what does not fit on the host is returned, for the play to stop with.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible.errors import AnsibleFilterError

VARIABLE = "pxerelay_interfaces"
KEYS = ("id", "parent", "address")
FOLDER = PurePosixPath("/etc/systemd/network")
MINE = "60-pxerelay"
HEADER = "# managed by Ansible, role pxerelay: change the inventory, not this file.\n"

LAST_ID = 4094
"""IEEE 802.1Q-2018, table 9-2: 4095 is reserved, and 0 is no VLAN."""
NAME_LENGTH = 15
"""IFNAMSIZ of linux/if.h, without the octet that ends the name."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
IPV4 = 4
_GLOBAL = ipaddress.ip_network("2000::/3"), ipaddress.ip_network("fc00::/7")
"""What servers and routers elsewhere can answer to."""


def vlans(interfaces: object) -> dict[str, dict[str, Any]]:
    """Return the VLANs among the client interfaces by name, each with its id, parent and addresses."""
    entries = interfaces if isinstance(interfaces, Mapping) else {}
    wanted = {
        str(name): settings["vlan"]
        for name, settings in entries.items()
        if isinstance(settings, Mapping) and "vlan" in settings
    }
    findings: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    holders: dict[tuple[str, int], str] = {}
    for name, vlan in wanted.items():
        wrong = [*_wrong_name(name, "an interface with a vlan"), *_wrong_vlan(name, vlan, wanted)]
        if not wrong:
            found[name] = {
                "id": int(vlan["id"]),
                "parent": str(vlan["parent"]),
                "address": [str(address) for address in _listed(vlan["address"])],
            }
            holder = holders.setdefault((found[name]["parent"], found[name]["id"]), name)
            if holder != name:
                wrong = [f"{holder} has VLAN {vlan['id']} of {vlan['parent']} already"]
        findings += (f"{VARIABLE}: {name}: {text}" for text in wrong)
    if findings:
        raise AnsibleFilterError("\n".join(["these variables need a correction:", *findings]))
    return found


def vlan_obstacles(
    wanted: Mapping[str, Mapping[str, Any]], listing: str, present: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return one line for each reason why this host can't have the VLANs.

    LISTING is what `networkctl --json=short list` says there, PRESENT the role's files as `find` has them.
    """
    links = _links(listing)
    if not links:
        return ["pxerelay_networkd: systemd-networkd does not run on this host"]
    lines = []
    for parent in sorted({vlan["parent"] for vlan in wanted.values()}):
        start = f"{VARIABLE}: the parent {parent}"
        file = _network_file(links.get(parent, {}))
        sharing = [name for name in links if name != parent and _network_file(links[name]) == file]
        if parent not in links:
            lines.append(f"{start} is not on this host; it has {', '.join(links)}")
        elif not file:
            lines.append(
                f"{start} is not managed by networkd: write {FOLDER}/50-{parent}.network with the sections "
                f"[Match], Name={parent} and [Network], LinkLocalAddressing=no, or what it needs itself, "
                "and type `networkctl reload`; but if NetworkManager or ifupdown manages it, leave "
                "pxerelay_networkd off, for it does not fit"
            )
        elif sharing:
            lines.append(
                f"{start} shares {file} with {', '.join(sharing)}, and networkd could make its VLANs there: "
                f"write {FOLDER}/50-{parent}.network for it alone, or a name that comes before that one's"
            )
    made = {file["path"] for file in present}
    lines += [
        f"{VARIABLE}: {name} is on this host already, and not made by this role: remove it and what makes it"
        for name in wanted
        if name in links and _path(name, "netdev") not in made
    ]
    return lines


def vlan_files(wanted: Mapping[str, Mapping[str, Any]], listing: str) -> dict[str, str]:
    """Return networkd's files by path, on a host of which LISTING tells, and that has no obstacles."""
    links = _links(listing)
    files: dict[str, str] = {}
    children: dict[str, list[str]] = {}
    for name, vlan in wanted.items():
        # With the parent in it, this file changes whenever the device must be another.
        files[_path(name, "netdev")] = _written(
            NetDev=[f"Name={name}", "Kind=vlan", f"Description=VLAN {vlan['id']} on {vlan['parent']}"],
            VLAN=[f"Id={vlan['id']}"],
        )
        files[_path(name, "network")] = _written(
            Match=[f"Name={name}"],
            # A trunk without a carrier holds up no boot, and takes no address from the relay.
            Link=["RequiredForOnline=no"],
            Network=[
                *(f"Address={address}" for address in vlan["address"]),
                # DHCPv6 needs a link-local address, which replies come from.
                f"LinkLocalAddressing={'ipv6' if any(':' in one for one in vlan['address']) else 'no'}",
                "IPv6AcceptRA=no",
                "DHCP=no",
                "ConfigureWithoutCarrier=yes",
            ],
        )
        children.setdefault(vlan["parent"], []).append(name)
    for parent, names in children.items():
        dropin = FOLDER / f"{PurePosixPath(_network_file(links[parent])).name}.d" / f"{MINE}.conf"
        files[str(dropin)] = _written(Network=[f"VLAN={name}" for name in sorted(names)])
    return files


def vlan_leftovers(present: Iterable[Mapping[str, Any]], sums: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the `files` to remove, and the `devices` that must go because their VLAN did, or became another.

    PRESENT is as `find` returns it, SUMS are the checksums by path of the files that are to be there.
    """
    there = {file["path"]: file["checksum"] for file in present}
    netdev = re.compile(rf"{re.escape(str(FOLDER / MINE))}-(.*)\.netdev")
    return {
        "files": sorted(there.keys() - sums.keys()),
        "devices": [
            match[1]
            for path in sorted(there)
            if (match := netdev.fullmatch(path)) and there[path] != sums.get(path)
        ],
    }


def _wrong_name(name: str, role: str) -> Iterator[str]:
    """Yield what is wrong with the name of an interface that has this role."""
    if re.search(r"[*?\[]", name):
        yield f"{role} needs a name of its own, and {name} is a glob"
    elif not _NAME.fullmatch(name) or name.isdigit():
        yield f"{role} needs a name of letters, digits and _.-, and not of digits alone, and {name!r} is none"
    elif len(name) > NAME_LENGTH:
        yield f"{role} has a name of at most {NAME_LENGTH} characters, and {name} has {len(name)}"


def _wrong_vlan(name: str, vlan: object, wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the key `vlan` of an interface, WANTED being all that have one."""
    if not isinstance(vlan, Mapping):
        yield f"vlan must be a mapping of {', '.join(KEYS)}, and is {vlan!r}"
        return
    unknown = sorted(str(key) for key in vlan if key not in KEYS)
    if unknown:
        yield f"vlan has the keys {', '.join(KEYS)}, and not {', '.join(unknown)}"
    missing = [key for key in KEYS if vlan.get(key) in (None, "", [])]
    if missing:
        yield f"vlan lacks {', '.join(missing)}"
    if "id" not in missing and not _is_id(vlan["id"]):
        yield f"vlan.id must be 1 to {LAST_ID}, and is {vlan['id']!r}"
    parent = vlan.get("parent")
    if "parent" not in missing:
        if not isinstance(parent, str):
            yield f"vlan.parent must be the name of an interface, and is {parent!r}"
        elif parent == name:
            yield "vlan.parent is the interface itself"
        elif parent in wanted:
            yield f"vlan.parent {parent} is a VLAN too, which this role does not make"
        else:
            yield from (f"vlan.parent: {text}" for text in _wrong_name(parent, "a parent"))
    if "address" not in missing:
        for address in _listed(vlan["address"]):
            yield from _wrong_address(address)


def _wrong_address(address: object) -> Iterator[str]:
    """Yield what is wrong with an address that a VLAN is to have."""
    try:
        if not (isinstance(address, str) and re.fullmatch(r"[0-9.]+/[0-9]+|[0-9A-Fa-f:.]+/[0-9]+", address)):
            raise ValueError
        parsed = ipaddress.ip_interface(address)
    except ValueError:
        yield (
            "vlan.address must be an address with its prefix length, such as 10.10.10.1/24 or "
            f"2001:db8:10::1/64, or a list of them, and has {address!r}"
        )
        return
    network = parsed.network
    # In IPv6 the last address is like any other, and the first one is every router's (RFC 4291, 2.6.1).
    ends = (network.network_address, *([network.broadcast_address] if parsed.version == IPV4 else []))
    if network.prefixlen < network.max_prefixlen - 1 and parsed.ip in ends:
        yield f"vlan.address {address} is an end of its network, which no interface can have"
    elif parsed.version != IPV4 and not any(parsed.ip in one for one in _GLOBAL):
        yield f"vlan.address {address} must be a global IPv6 address (2000::/3), or unique local (fc00::/7)"


def _is_id(value: object) -> bool:
    """Tell whether a VLAN can have this id; from a template it may be a string."""
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,4}", str(value)):
        return False
    return 1 <= int(str(value)) <= LAST_ID


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _links(listing: str) -> dict[str, Mapping[str, Any]]:
    """Return what networkd says of each interface, by name; nothing if it says nothing."""
    try:
        return {link["Name"]: link for link in json.loads(listing)["Interfaces"]}
    except (ValueError, LookupError, TypeError):
        return {}


def _network_file(link: Mapping[str, Any]) -> str:
    """Return the file that networkd manages an interface by; "" if there is none, or it is the role's."""
    path = str(link.get("NetworkFile") or "")
    return "" if PurePosixPath(path).name.startswith(MINE) else path


def _path(name: str, kind: str) -> str:
    return str(FOLDER / f"{MINE}-{name}.{kind}")


def _written(**sections: Iterable[str]) -> str:
    """Return a file of networkd's with these sections and their lines."""
    return HEADER + "".join(
        f"\n[{title}]\n" + "".join(f"{line}\n" for line in lines) for title, lines in sections.items()
    )


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {
            "vlan_files": vlan_files,
            "vlan_leftovers": vlan_leftovers,
            "vlan_obstacles": vlan_obstacles,
            "vlans": vlans,
        }
