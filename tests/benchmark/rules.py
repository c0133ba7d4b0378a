"""Target 3: a million rules cost no more than one, and take little memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from tests.benchmark.mappings import MILLION, random_rules, wildcards
from tests.benchmark.messages import CLIENTS, macs
from tests.benchmark.peers import Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Run, rig
from tests.benchmark.steady import REQUESTS, STRANGERS

WILDCARDS = 10_000
THIRD = macs(3)[2][:3]
"""How the addresses of a third of the clients begin."""

TURNS = 2
"""How often each of the two daemons gets the load in a round."""

MET, STRANGE = "clients that ask again and again", "each request from a client never met before"


class OneRule(Mapped):
    """pxerelay with one rule, which sends a third of the clients to the other server."""

    kind = "one_rule"

    def rules(self) -> Iterable[str]:
        """Yield it."""
        yield f"  {THIRD.hex(':')}: altiris"


class MillionRules(OneRule):
    """pxerelay with that rule, a million MACs and 10,000 wildcards.

    Each of the clients that ask again and again has a rule of its own, and all clients go to the servers that
    they go to with one rule: what is compared is the number of rules, not what they say.
    """

    kind = "million_rules"

    def rules(self) -> Iterable[str]:
        """Yield them."""
        yield from super().rules()
        for mac in macs(CLIENTS):
            yield f"  {mac.hex(':')}: {'altiris' if mac.startswith(THIRD) else 'ris'}"
        yield from random_rules(MILLION - CLIENTS)
        yield from wildcards(WILDCARDS)


def rules_part(rounds: int, say: Say) -> Result:
    """Measure requests with one rule and with a million.

    Both daemons are there all the time and get the load in turn, and each turn gives a ratio: what is looked
    for is smaller than what this machine's speed changes from minute to minute.
    """
    pairs: dict[str, list[tuple[Run, Run]]] = {MET: [], STRANGE: []}
    with rig(OneRule) as few, rig(MillionRules, lab="bench_many") as many:
        for name, load in ((MET, REQUESTS), (STRANGE, STRANGERS)):
            frames = load.frames(few)
            for turn in range(rounds * TURNS):
                both = load.run(few, frames), load.run(many, frames)
                pairs[name].append(both)
                say(f"turn {turn + 1}: {name}: {both[0].cpu_us:.2f} us and {both[1].cpu_us:.2f} us")
        used = [one.memory("VmHWM") / 1e6 for one in (few, many)]
    rows: list[tuple[str, float, float, float]] = []
    for name, found in pairs.items():
        costs = [middle([pair[which].cpu_us for pair in found]) for which in (0, 1)]
        ratio = middle([after.cpu_us / before.cpu_us for before, after in found])
        rows.append((f"CPU, us each, {name}", round(costs[0], 2), round(costs[1], 2), round(ratio, 2)))
    rows.append(("resident memory at most, MB", round(used[0]), round(used[1]), round(used[1] / used[0], 2)))
    columns = ("figure", "1 rule", f"{MILLION:,} rules and {WILDCARDS:,} wildcards", "ratio")
    return Result(
        "rules",
        [Table("One rule and a million", columns, rows)],
        [
            Bound("CPU per request with a million rules, of that with one", rows[0][3], 1.1),
            Bound("resident memory with a million rules, MB", used[1], 200),
        ],
        {name: [list(map(asdict, pair)) for pair in found] for name, found in pairs.items()},
    )
