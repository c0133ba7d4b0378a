"""What a survey asks: which servers, from where, in whose name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from pxerelay.policy.servers import Address
from pxerelay.wire.mac import MacError, format_mac, parse_mac

MOST = 32
"""Servers that one survey asks at most."""

LONGEST = 10.0
"""Seconds that a survey waits at most."""


class SurveyError(Exception):
    """Nothing can be asked so; the message says why."""


@dataclass(frozen=True)
class ServerQuery:
    """A server to ask, and from where: a client interface, or, with none, an address of ours (`giaddr`).

    Both addresses are of one family; in DHCPv6 `giaddr` is the link-address.
    """

    server: Address
    interface: str | None
    giaddr: Address | None = None


@dataclass(frozen=True)
class Survey:
    """The client in whose name to ask, how many seconds to wait, and the servers to ask (`errands`)."""

    chaddr: bytes
    vendor_class: bytes
    architectures: tuple[int, ...]
    seconds: float
    errands: tuple[ServerQuery, ...]

    def of(self, family: int) -> Survey:
        """Return what of it is for servers of a family, 4 or 6."""
        return replace(self, errands=tuple(one for one in self.errands if one.server.version == family))

    def plain(self) -> dict[str, Any]:
        """Return what `read` reads."""
        return {
            "mac": format_mac(self.chaddr),
            "vendor_class": self.vendor_class.decode(),
            "architectures": list(self.architectures),
            "seconds": self.seconds,
            "errands": [
                [str(one.server), one.interface, str(one.giaddr) if one.giaddr else None]
                for one in self.errands
            ],
        }


def read(request: Mapping[str, Any]) -> Survey:
    """Return what a request to the control socket asks for; SurveyError if that makes no sense."""
    try:
        errands = tuple(
            ServerQuery(
                ip_address(str(server)),
                None if interface is None else str(interface),
                None if giaddr is None else ip_address(str(giaddr)),
            )
            for server, interface, giaddr in request["errands"]
        )
        seconds = float(request["seconds"])
        survey = Survey(
            parse_mac(str(request["mac"])),
            str(request["vendor_class"]).encode()[:255],
            tuple(int(number) & 0xFFFF for number in request["architectures"])[:100],
            min(max(seconds, 0.0), LONGEST),
            errands,
        )
    except (KeyError, TypeError, ValueError, OverflowError, MacError) as error:
        raise SurveyError(f"not a survey: {error!r}") from None
    if any(one.giaddr and one.giaddr.version != one.server.version for one in errands):
        raise SurveyError("an address to answer to must be of its server's family")
    if len(errands) > MOST or not math.isfinite(seconds):
        raise SurveyError(f"a survey asks at most {MOST} servers, for a while")
    return survey
