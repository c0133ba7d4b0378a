"""Two configurations and their files to a `Difference`."""

from __future__ import annotations

from collections.abc import Sequence

from pxerelay.config.data import Document
from pxerelay.policy.model import Config
from pxerelay.tools.diff import settings
from pxerelay.tools.diff.rules import RuleSide, compare_rules
from pxerelay.tools.diff.settings import Whole
from pxerelay.tools.diff.unlisted import Unlisted
from pxerelay.tools.diff.values import Difference


def compare(
    old: Config,
    old_documents: Sequence[Document],
    new: Config,
    new_documents: Sequence[Document],
    today: int,
) -> Difference:
    """Return what differs between two configurations as they hold on a day."""
    before, after = Whole(old.on(today), old_documents), Whole(new.on(today), new_documents)
    unlisted = Unlisted(before.config, after.config)
    moves = compare_rules(
        RuleSide(before.config.policy.rules, old_documents),
        RuleSide(after.config.policy.rules, new_documents),
        unlisted,
    )
    return Difference(
        patterns=moves.patterns,
        addresses=moves.addresses,
        unlisted=tuple(unlisted.reach()),
        classes_decide=bool(before.config.policy.classes or after.config.policy.classes),
        servers=tuple(settings.servers(before, after)),
        classes=tuple(settings.classes(before, after)),
        interfaces=tuple(settings.interfaces(before, after)),
        settings=tuple(settings.others(before, after)),
        rules=moves.changes,
    )
