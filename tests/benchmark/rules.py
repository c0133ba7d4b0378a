"""Target 3: a million rules cost no more than one, and take little memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from tests.benchmark.mappings import MILLION, random_rules, rule, wildcards
from tests.benchmark.messages import CLIENTS, macs
from tests.benchmark.peers import Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Run, rig
from tests.benchmark.steady import REQUESTS, STRANGERS

WILDCARDS = 10_000
MET, STRANGE = "clients that ask again and again", "each request from a client never met before"


class OneRule(Mapped):
    """pxerelay with one rule."""

    kind = "one_rule"

    def rules(self) -> Iterable[str]:
        """Yield it."""
        yield rule(macs(1)[0])


class MillionRules(Mapped):
    """pxerelay with a million MACs, every client of the load among them, and 10,000 wildcards."""

    kind = "million_rules"

    def rules(self) -> Iterable[str]:
        """Yield them."""
        yield from map(rule, macs(CLIENTS))
        yield from random_rules(MILLION - CLIENTS)
        yield from wildcards(WILDCARDS)


def rules_part(rounds: int, say: Say) -> Result:
    """Measure requests with one rule and with a million, in turn."""
    runs: dict[tuple[str, str], list[Run]] = {}
    used = {OneRule.kind: 0.0, MillionRules.kind: 0.0}
    for turn in range(rounds):
        for kind in (OneRule, MillionRules):
            for name, load in ((MET, REQUESTS), (STRANGE, STRANGERS)):
                with rig(kind) as one:
                    run = load.run(one)
                    used[kind.kind] = max(used[kind.kind], one.memory("VmHWM") / 1e6)
                runs.setdefault((kind.kind, name), []).append(run)
                say(f"round {turn + 1}: {kind.kind}, {name}: {run.cpu_us:.2f} us")
    costs = {key: middle([run.cpu_us for run in found]) for key, found in runs.items()}
    rows: list[tuple[str, float, float, float]] = []
    for name in (MET, STRANGE):
        few, many = costs[OneRule.kind, name], costs[MillionRules.kind, name]
        rows.append((f"CPU, us each, {name}", round(few, 2), round(many, 2), round(many / few, 2)))
    few, many = used[OneRule.kind], used[MillionRules.kind]
    rows.append(("resident memory at most, MB", round(few), round(many), round(many / few, 2)))
    columns = ("", "1 rule", f"{MILLION:,} rules and {WILDCARDS:,} wildcards", "ratio")
    return Result(
        "rules",
        [Table("One rule and a million", columns, rows)],
        [
            Bound("CPU per request with a million rules, of that with one", rows[0][3], 1.1),
            Bound("resident memory with a million rules, MB", many, 200),
        ],
        {f"{kind}, {name}": list(map(asdict, found)) for (kind, name), found in runs.items()},
    )
