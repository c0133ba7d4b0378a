"""What a log line is about, apart from its words: fields that the journal can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

ATTRIBUTE = "pxerelay_fields"
"""What a log record carries them as."""


class Fields(NamedTuple):
    """Whom and what a log line is about, as far as that is known.

    `servers` has names and addresses, each of which finds the line. `rule` is the rule, class or default
    that chose, as the file spells it, and `reason` the name of a drop's reason (`relay.Drop`). `family` is 6
    for DHCPv6, where a client has a `duid` and an address (`peer`) too.
    """

    mac: str = ""
    interface: str = ""
    servers: tuple[str, ...] = ()
    rule: str = ""
    reason: str = ""
    family: str = ""
    duid: str = ""
    peer: str = ""

    @property
    def extra(self) -> dict[str, Any]:
        """The same for the `extra` of a log call; nothing if nothing is known."""
        return {ATTRIBUTE: self} if any(self) else {}

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield the journal's names for what is known, with values; one name may come several times."""
        for name, value in (
            ("PXERELAY_MAC", self.mac),
            ("PXERELAY_INTERFACE", self.interface),
            *(("PXERELAY_SERVER", server) for server in self.servers),
            ("PXERELAY_RULE", self.rule),
            ("PXERELAY_REASON", self.reason),
            ("PXERELAY_FAMILY", self.family),
            ("PXERELAY_DUID", self.duid),
            ("PXERELAY_PEER", self.peer),
        ):
            if value:
                yield name, value
