"""`pxerelay trace` at the daemon: a request to the control socket becomes a stream of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pxerelay.daemon.stream import Stream
from pxerelay.relay.trace import TraceError, Watch, Watches
from pxerelay.wire.mac import MacError, parse_pattern


def begin(watches: Watches, request: Mapping[str, Any]) -> Stream | dict[str, Any]:
    """Follow the clients that a request names, or return why that can't be done."""
    stream = Stream()
    try:
        watch = _watch(request, stream)
        first = watches.add(watch)
    except (MacError, TraceError) as error:
        return {"error": str(error)}
    stream.closed = lambda: watches.remove(watch)
    stream.put(first)
    return stream


def _watch(request: Mapping[str, Any], stream: Stream) -> Watch:
    place = request.get("interface")
    return Watch(
        parse_pattern(str(request.get("mac", ""))),
        None if place is None else str(place),
        stream.put,
        stream.lose,
        sample=request.get("sample") is True,
    )
