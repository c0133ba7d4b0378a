"""Logs changes of client interfaces: active, waiting, gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from pxerelay.linux.fields import Fields
from pxerelay.linux.log import LOGGER
from pxerelay.policy.port_table import AnyPort

Port = TypeVar("Port", bound=AnyPort)

_MOST = 200
"""Client interfaces that change together and that are named: journald bounds the lines of a service."""


class PortLog(Generic[Port]):
    """Remembers by name what was logged last of each interface; `text` tells of one in words.

    `family` is what the lines are found by besides the interface.
    """

    def __init__(self, text: Callable[[Port], str], family: str = "") -> None:
        self._text = text
        self._family = family
        self._told: dict[str, Port] = {}

    def tell_all(self, ports: Iterable[Port]) -> None:
        """Log what differs from what was logged last; these are all client interfaces there are."""
        before, self._told = self._told, {port.name: port for port in ports}
        self._log([port for name, port in self._told.items() if before.get(name) != port])

    def tell(self, ports: Iterable[Port]) -> None:
        """Log the new states of some client interfaces that changed."""
        fresh = {port.name: port for port in ports}
        self._told.update(fresh)
        self._log(list(fresh.values()))

    def _log(self, ports: list[Port]) -> None:
        if len(ports) > _MOST:
            active = sum(not port.waiting for port in ports)
            LOGGER.info("%d client interfaces changed, %d of them are active", len(ports), active)
            return
        for port in ports:
            about = Fields(interface=port.name, family=self._family)
            LOGGER.info("interface %s", self._text(port), extra=about.extra)
