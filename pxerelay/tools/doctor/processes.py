"""Who holds a UDP port, and what a process may: from /proc (proc(5))."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from pxerelay.linux import control_client
from pxerelay.tools.doctor.facts import Holder
from pxerelay.wire.packet import SERVER_PORT

_PROC = Path("/proc")

_UCRED = struct.Struct("=iII")
"""struct ucred (unix(7)): process, user, group."""


def peer(path: Path) -> int | None:
    """Return the process that listens at a control socket, None if none does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            control_client.connect(sock, path)
            octets = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except OSError:
        return None
    return int(_UCRED.unpack(octets)[0])


def same_network(pid: int) -> bool | None:
    """Whether a process is in our network namespace, None if we may not know."""
    try:
        theirs, ours = ((_PROC / str(one) / "ns" / "net").stat() for one in (pid, os.getpid()))
    except OSError:
        return None
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def capabilities(pid: int) -> int | None:
    """Return the bits of a process's effective capabilities (capabilities(7)), None if it is not there."""
    for line in _lines(_PROC / str(pid) / "status"):
        name, _, value = line.partition(":")
        if name == "CapEff":
            return int(value, 16)
    return None


def holders(daemon: int | None, port: int = SERVER_PORT) -> tuple[Holder, ...]:
    """Return the sockets on a UDP port in our network namespace; `daemon` is the process of our own."""
    rows = list(_rows(port))
    owners = _owners({inode for _, _, inode in rows}) if rows else {}
    daemon_user = None if daemon is None else _user_of(daemon)
    found = []
    for address, user, inode in rows:
        pid = owners.get(inode)
        ours = pid == daemon if pid is not None else daemon_user in (None, user)
        command = _command(pid) if pid is not None else ""
        found.append(
            Holder(address, _user_name(user), pid, command, _unit(pid), ours=daemon is not None and ours)
        )
    return tuple(found)


def _rows(wanted: int) -> Iterator[tuple[str, int, int]]:
    """Yield address, user and inode of each socket on the port."""
    for name, spelled in (("udp", _ipv4), ("udp6", _ipv6)):
        for line in _lines(_PROC / "self" / "net" / name)[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if int(port, 16) == wanted:
                yield spelled(bytes.fromhex(address)), int(fields[7]), int(fields[9])


def _ipv4(octets: bytes) -> str:
    return str(IPv4Address(_words(octets)))


def _ipv6(octets: bytes) -> str:
    return str(IPv6Address(_words(octets)))


def _words(octets: bytes) -> bytes:
    """Return an address that was printed as numbers of 32 bits in the host's order."""
    count = len(octets) // 4
    return struct.pack(f"={count}I", *struct.unpack(f"!{count}I", octets))


def _owners(inodes: set[int]) -> Mapping[int, int]:
    """Return the process of each socket that we may see it of."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            for descriptor in (folder / "fd").iterdir():
                inode = wanted.get(str(descriptor.readlink()))
                if inode is not None:
                    found.setdefault(inode, int(folder.name))
        except OSError:
            continue  # it ended, or is none of ours to look into
    return found


def _command(pid: int) -> str:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return " ".join(word.decode("utf-8", "replace") for word in words if word)[:200]


def _unit(pid: int | None) -> str:
    """Return the systemd service that a process belongs to, by its control group."""
    for line in _lines(_PROC / str(pid) / "cgroup") if pid is not None else ():
        names = [name for name in line.rpartition(":")[2].split("/") if name.endswith(".service")]
        if names and not names[-1].startswith(("user@", "session-")):
            return names[-1]
    return ""


def _user_of(pid: int) -> int | None:
    try:
        return (_PROC / str(pid)).stat().st_uid
    except OSError:
        return None


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
