"""The page's own metrics, as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

_PAGE = os.sysconf("SC_PAGESIZE")

_STATM = Path("/proc/self/statm")


class Metrics:
    """Counts requests by page and status, and those that were refused by the reason."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.refused: Counter[str] = Counter()

    def text(self, *, up: bool, seconds: float | None, asked: int, followers: int, clients: int) -> str:
        """Return what is scraped; `up` and `seconds` tell of the daemon's last answer."""
        lines: list[str] = []

        def add(name: str, kind: str, help_text: str, values: dict[str, float]) -> None:
            lines.append(f"# HELP pxerelay_web_{name} {help_text}")
            lines.append(f"# TYPE pxerelay_web_{name} {kind}")
            lines.extend(f"pxerelay_web_{name}{labels} {value:g}" for labels, value in values.items())

        add(
            "requests_total",
            "counter",
            "Requests that were answered, by page and status.",
            {
                f'{{page="{page}",status="{status}"}}': count
                for (page, status), count in sorted(self.requests.items())
            },
        )
        add(
            "refused_total",
            "counter",
            "Requests that were refused, by reason.",
            {f'{{reason="{reason}"}}': count for reason, count in sorted(self.refused.items())},
        )
        add("daemon_up", "gauge", "Whether the daemon answers.", {"": int(up)})
        add(
            "daemon_answer_seconds",
            "gauge",
            "How long its last answer took.",
            {} if seconds is None else {"": seconds},
        )
        add("daemon_asked_total", "counter", "Questions to the daemon.", {"": asked})
        add("followers", "gauge", "Who follows a client now.", {"": followers})
        add("clients_remembered", "gauge", "Clients that were heard and are remembered.", {"": clients})
        add("resident_memory_bytes", "gauge", "Memory of the process.", {"": resident()})
        return "\n".join(lines) + "\n"


def resident() -> int:
    """Return the octets of memory that this process has (proc_pid_statm(5))."""
    return int(_STATM.read_text().split()[1]) * _PAGE
