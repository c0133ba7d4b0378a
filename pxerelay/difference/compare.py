"""Two configurations and their files to a `Difference`."""

from __future__ import annotations

from collections.abc import Sequence

from pxerelay.choice.model import Config
from pxerelay.difference import settings
from pxerelay.difference.rules import RuleSide, compare_rules
from pxerelay.difference.settings import Whole
from pxerelay.difference.unlisted import Unlisted
from pxerelay.difference.values import Difference
from pxerelay.files.document import Document


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
