"""Two configurations and their files to a `Difference`."""

from __future__ import annotations

from collections.abc import Sequence

from pxerelay.config.data import Document
from pxerelay.policy.model import Config
from pxerelay.tools.diff import settings
from pxerelay.tools.diff.rules import RuleSide, compare_rules, remarks
from pxerelay.tools.diff.settings import Whole
from pxerelay.tools.diff.unlisted import Unlisted
from pxerelay.tools.diff.values import Difference, Moves, RuleChange
from pxerelay.tools.diff.views import View


def compare(
    old: Config,
    old_documents: Sequence[Document],
    new: Config,
    new_documents: Sequence[Document],
    today: int,
) -> Difference:
    """Return what differs between two configurations as they hold on a day."""
    before, after = Whole(old.on(today), old_documents), Whole(new.on(today), new_documents)
    views = [view for view in map(View, (4, 6)) if view.relays(before.config) and view.relays(after.config)]
    moved: dict[int, Moves] = {}
    changes: list[tuple[RuleChange, ...]] = []
    for view in views:
        unlisted = Unlisted(before.config, after.config, view)
        found = compare_rules(*_sides(before, after, view), unlisted)
        moved[view.family] = Moves(found.patterns, found.addresses, tuple(unlisted.reach()))
        changes.append(found.changes)
    common = [one for one in (changes[0] if changes else ()) if all(one in some for some in changes[1:])]
    return Difference(
        moves4=moved.get(4),
        moves6=moved.get(6),
        classes_decide=bool(before.config.policy.classes or after.config.policy.classes),
        servers=tuple(settings.servers(before, after)),
        classes=tuple(settings.classes(before, after)),
        interfaces=tuple(settings.interfaces(before, after)),
        settings=tuple(settings.others(before, after)),
        rules=(*common, *remarks(*_sides(before, after, View(4)))),
    )


def _sides(before: Whole, after: Whole, view: View) -> tuple[RuleSide, RuleSide]:
    """Return the rules of both configurations as a family has them."""
    old, new = (RuleSide(side.config.policy.rules, side.documents, view) for side in (before, after))
    return old, new
