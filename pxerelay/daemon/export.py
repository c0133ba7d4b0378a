"""Serves metrics where the configuration says so; `exporter` is imported only then."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pxerelay.linux.log import LOGGER

if TYPE_CHECKING:
    from pxerelay.daemon.exporter import Exporter


class Export:
    """Metrics of the state that `status` tells, at one place or nowhere."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status
        self._exporter: Exporter | None = None
        self._no_exporter: str | None = None

    @property
    def error(self) -> str | None:
        """Why metrics that are configured are not served; None if they are, or if none are configured."""
        return self._exporter.error if self._exporter else self._no_exporter

    async def serve(self, at: str | None) -> None:
        """Serve metrics at a place from now on, or nowhere."""
        self._no_exporter = None
        if self._exporter is None and at is not None:  # its libraries take memory, and not everybody wants it
            try:
                module = await asyncio.to_thread(importlib.import_module, "pxerelay.daemon.exporter")
            except ImportError as error:
                self._no_exporter = str(error)
                LOGGER.warning("no metrics: %s", error)
                return
            self._exporter = module.Exporter(self._status)
        if self._exporter is not None:
            self._exporter.listen(at)

    def renew(self, at: str | None) -> None:
        """Make the socket there again if somebody has removed it."""
        if self._exporter is not None:
            self._exporter.listen(at)
