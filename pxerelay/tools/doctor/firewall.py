"""Whether what clients send gets through this host's firewall: frames that the relay's socket should hear.

A datagram to the broadcast address that leaves by an interface also comes back, as if it had come in there
(ip_mc_output in Linux' net/ipv4/ip_output.c), and goes through all that a client's goes through: PREROUTING
and INPUT, by nftables, iptables or BPF. Its source is no address of this host: rules that let in what the
host or its networks send say nothing about a client that has no address yet. On the wire it is a message
that nobody has anything to do for (`probe.sound`), with a TTL of 0.

In DHCPv6 it is the same with ff02::1:2 (ip6_finish_output2 in net/ipv6/ip6_output.c) and `probe6.sound`.
There the source is a client's link-local address, and what has a hop limit of 0 does not leave the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pxerelay.daemon.hearing import XID_OCTETS, Sound
from pxerelay.wire import eui64, frames6, packet, packet6, probe, probe6
from pxerelay.wire.frames import IP_HEADER, UDP_HEADER

_SO_BINDTODEVICE = 25
"""Not in every Python's socket module; asm-generic/socket.h."""

_VERSION_AND_LENGTH, _TTL = 0x45, 0
_SOURCE, _EVERYONE = "0.0.0.1", "255.255.255.255"
"""The source is of "this network" as a client's 0.0.0.0 is (RFC 1122, 3.2.1.3), which the kernel replaces."""

_SENT_AT, _LISTENED_FOR = (0.2, 0.3, 0.4), 2.0
"""Seconds of pauses before each time that they are sent; seconds in which they may be heard."""

Hear = Callable[[Sound], Awaitable[Sequence[str]]]
"""Listens for a message, and returns the interfaces that it was heard on."""


async def unheard(hear: Hear, chaddr: bytes, interfaces: Sequence[str], family: int = 4) -> list[str]:
    """Return those of some interfaces on which what a client sends is not heard.

    `family` is 4 or 6. Raises OSError if they can't be sent.
    """
    if not interfaces:
        return []
    how, xid = _FAMILIES[family], secrets.token_bytes(XID_OCTETS[family])
    sound = Sound(xid, chaddr, len(interfaces), _LISTENED_FOR, family)
    listening = asyncio.ensure_future(hear(sound))
    try:
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(_opened(name, how)) for name in interfaces]
            octets = how.packet(chaddr, xid)
            for pause in _SENT_AT:
                await asyncio.wait((listening,), timeout=pause)
                if listening.done():
                    break
                for sock in sockets:
                    sock.sendto(octets, (how.destination, 0))
        heard = await listening
    finally:
        listening.cancel()
    return [name for name in interfaces if name not in heard]


class _How(NamedTuple):
    """How it is sent in a family: from a packet socket's address family, to whom, as which IP packet."""

    family: socket.AddressFamily
    destination: str
    packet: Callable[[bytes, bytes], bytes]


def _opened(interface: str, how: _How) -> socket.socket:
    sock = socket.socket(how.family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode())
    except OSError:
        sock.close()
        raise
    return sock


def _packet(chaddr: bytes, xid: bytes) -> bytes:
    """Return a message with the headers of a client's; the kernel adds the checksum of the first one."""
    message = probe.sound(chaddr, xid)
    size = UDP_HEADER.size + len(message)
    addresses = map(socket.inet_aton, (_SOURCE, _EVERYONE))
    ip = IP_HEADER.pack(
        _VERSION_AND_LENGTH, 0, IP_HEADER.size + size, 0, 0, _TTL, socket.IPPROTO_UDP, 0, *addresses
    )
    return ip + UDP_HEADER.pack(packet.CLIENT_PORT, packet.SERVER_PORT, size, 0) + message


def _packet6(chaddr: bytes, xid: bytes) -> bytes:
    """Return the same in DHCPv6."""
    return frames6.packet(
        probe6.sound(chaddr, xid),
        source=eui64.link_local(chaddr),
        destination=packet6.ALL_RELAYS_AND_SERVERS,
        ports=(packet6.CLIENT_PORT, packet6.SERVER_PORT),
        hop_limit=_TTL,
    )


_FAMILIES = {
    4: _How(socket.AF_INET, _EVERYONE, _packet),
    6: _How(socket.AF_INET6, socket.inet_ntop(socket.AF_INET6, packet6.ALL_RELAYS_AND_SERVERS), _packet6),
}


_UFW = Path("/etc/ufw/ufw.conf")
_UNITS = Path("/sys/fs/cgroup/system.slice")
"""Where a service that runs has its control group (systemd.resource-control(5))."""


def managers() -> tuple[str, ...]:
    """Return which programs manage this host's firewall, of those that we know: firewalld, ufw."""
    found = []
    if (_UNITS / "firewalld.service").exists():
        found.append("firewalld")
    with contextlib.suppress(OSError):
        if "enabled=yes" in _UFW.read_text("utf-8", "replace").lower().split():
            found.append("ufw")
    return tuple(found)
