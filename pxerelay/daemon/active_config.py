"""A configuration that the daemon holds, and what of it holds today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pxerelay.config.loaded import Loaded
from pxerelay.config.places import RulePlaces
from pxerelay.policy.days import day_text
from pxerelay.policy.model import Config


@dataclass(frozen=True)
class ActiveConfig:
    """A configuration, where its rules stand (only known with `--debug`), and since when we have it.

    `config` is what of it holds on the day `today`; `took` is the seconds that loading took.
    """

    loaded: Loaded
    places: RulePlaces
    since: datetime
    config: Config
    today: int
    took: float

    @classmethod
    def on_day(
        cls, today: int, loaded: Loaded, places: RulePlaces, since: datetime, took: float
    ) -> ActiveConfig:
        """Return a configuration as it holds on a day."""
        return cls(loaded, places, since, loaded.config.on(today), today, took)

    def on(self, today: int) -> ActiveConfig:
        """Return the same as it holds on another day."""
        if today == self.today:
            return self
        return replace(self, config=self.loaded.config.on(today), today=today)

    def described(self, path: Path) -> dict[str, Any]:
        """Tell which configuration this is, loaded from a main file."""
        return {
            "path": str(path),
            "sha256": self.loaded.sha256,
            "files": self.loaded.files,
            "loaded_at": self.since.isoformat(timespec="seconds"),
        }

    @property
    def dated(self) -> bool:
        """Whether some rules have an end."""
        return bool(self._ends)

    @property
    def ended(self) -> int:
        """How many rules have ended."""
        return sum(count for until, count in self._ends.items() if until < self.today)

    @property
    def next_end(self) -> int | None:
        """The next day that is the last one of some rules."""
        return next((until for until in self._ends if until >= self.today), None)

    @property
    def next_end_text(self) -> str | None:
        """The same as files spell it."""
        return None if self.next_end is None else day_text(self.next_end)

    def changes_since(self, before: ActiveConfig) -> Iterator[str]:
        """Yield in words which rules have ended since another day, or apply again."""
        for until, count in self._ends.items():
            if before.today <= until < self.today:
                yield f"{_rules(count)} ended with {day_text(until)}"
        if self.ended < before.ended:
            again = before.ended - self.ended
            apply = "applies" if again == 1 else "apply"
            today = day_text(self.today)
            yield f"the clock was set back to {today}: {_rules(again)} that had ended {apply} again"

    @property
    def _ends(self) -> Mapping[int, int]:
        return self.loaded.config.policy.rules.ends


def _rules(count: int) -> str:
    return "1 rule" if count == 1 else f"{count} rules"
