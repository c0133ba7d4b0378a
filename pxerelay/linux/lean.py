"""What of the standard library the daemon does without, for it takes a tenth of its memory."""

from __future__ import annotations

import sys


def leave_out_tls() -> None:
    """Import asyncio without OpenSSL, which it needs for TLS alone; Python may be built without that.

    Whoever imports `ssl` later gets it. Nothing happens if asyncio or `ssl` is there already.
    """
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # the import system's way to say: there is none
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]
