"""Rules with an end: until when they choose, and who does after that."""

from __future__ import annotations

import pickle
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.config.findings import ConfigError
from pxerelay.policy.days import FOREVER, parse_day
from pxerelay.policy.model import Config
from pxerelay.policy.ports import assign
from pxerelay.policy.rules import Choice, Match, PatternRule, RuleTable
from pxerelay.relay.decision import ToServers
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.relay import Relay
from pxerelay.wire.client import DescribedClient
from pxerelay.wire.mac import Pattern, parse_mac
from tests.unit.batches import outcomes
from tests.unit.configs import LINKS, VLAN10, bare, build
from tests.unit.messages import ip, message, request

MAPPING = """
servers: {a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3, d: 10.0.0.4}
default: d
interfaces: {vlan10: {}}
rules:
  00:11:22:33:44:55: {server: a, owner: kiosk-team, until: 2027-01-31, note: trial}
  00:11:22:33:4?:*: {server: [b, 10.0.0.9], until: "2027-02-28"}
  00:11:22: c
  00:11:22:33:44:56: {server: drop, until: 2027-01-31}
"""


def chosen(config: Config, mac: str, today: str) -> str:
    client = DescribedClient(parse_mac(mac), None, b"", ())
    return config.on(parse_day(today)).policy.choose(client, None).choice.label


@pytest.mark.parametrize(
    ("today", "one", "other"),
    [
        ("2026-11-25", "a", "drop"),
        ("2027-01-31", "a", "drop"),  # the last day is a day on which it applies
        ("2027-02-01", "b, 10.0.0.9", "b, 10.0.0.9"),
        ("2027-02-28", "b, 10.0.0.9", "b, 10.0.0.9"),
        ("2027-03-01", "c", "c"),
    ],
)
def test_a_rule_applies_until_its_last_day_is_over(today: str, one: str, other: str) -> None:
    config = build(MAPPING)
    assert chosen(config, "00:11:22:33:44:55", today) == one
    assert chosen(config, "00:11:22:33:44:56", today) == other
    assert len(config.on(parse_day(today)).policy.rules) == 4


def test_the_table_knows_its_ends_and_passes_from_process_to_process() -> None:
    config = build(MAPPING)
    assert config.policy.rules.ends == {parse_day("2027-01-31"): 2, parse_day("2027-02-28"): 1}
    again = pickle.loads(pickle.dumps(config, pickle.HIGHEST_PROTOCOL))  # noqa: S301  # our own
    assert chosen(again, "00:11:22:33:44:55", "2027-03-01") == "c"
    assert again.policy.rules.ends == config.policy.rules.ends


def test_nothing_is_made_anew_while_no_rule_has_ended() -> None:
    config = build(MAPPING)
    assert config.on(parse_day("2027-01-31")) is config
    assert config.on(parse_day("2027-02-01")) is not config


def test_rules_that_say_the_same_until_the_same_day_share_one_choice() -> None:
    config = build(
        "servers: {a: 10.0.0.1}\ndefault: a\nrules:\n"
        "  02:00:00:00:00:01: {server: a, until: 2027-01-31, owner: x}\n"
        "  02:00:00:00:00:02: {server: a, until: 2027-01-31, owner: y}\n"
        "  02:00:00:00:00:03: {server: a, owner: y}\n"
        "  02:00:00:00:00:04: a\n"
    )
    one, two, three, four = (
        config.policy.rules.choice(parse_mac(f"02:00:00:00:00:0{last}")) for last in range(1, 5)
    )
    assert one is two
    assert three is four
    assert one is not four


def test_a_rule_that_ends_earlier_does_not_settle_which_of_two_wins() -> None:
    text = (
        "servers: {a: 10.0.0.1, b: 10.0.0.2}\ndefault: a\nrules:\n"
        '  "02:0?:00:00:01:*": {server: a, until: 2027-06-30}\n'
        '  "02:00:0?:00:01:*": b\n'
        '  "02:00:00:00:01:*": {server: b, until: UNTIL}\n'
    )
    build(text.replace("UNTIL", "2027-06-30"))
    with pytest.raises(ConfigError, match="equally specific"):
        build(text.replace("UNTIL", "2027-06-29"))


CHOICES = [Choice(label, (), until) for label in ("a", "b") for until in (10, 11, 12, FOREVER)]


PATTERNS = st.builds(
    lambda mask, value: Pattern(mask, value & mask),
    st.sampled_from([0xFFFFFF000000, 0xFFFFFFF00000, 0xFF0000000000, 0xFFFF000F0000]),
    st.integers(0, 3).map(lambda number: number * 0x010000100101),
)


@given(
    st.dictionaries(st.binary(min_size=6, max_size=6), st.sampled_from(CHOICES), max_size=8),
    st.dictionaries(PATTERNS, st.sampled_from(CHOICES), max_size=8),
    st.integers(9, 14),
)
def test_a_table_of_a_day_is_one_of_the_rules_of_that_day(
    exact: dict[bytes, Choice], wild: dict[Pattern, Choice], today: int
) -> None:
    """What is left out is as though it had not been written, and `matching` of all has it in its place."""
    entries = [PatternRule(str(pattern), pattern, choice) for pattern, choice in wild.items()]
    table = RuleTable(exact, entries)
    left = RuleTable(
        {address: choice for address, choice in exact.items() if not choice.ended(today)},
        [entry for entry in entries if not entry.choice.ended(today)],
    )
    asked = [*exact, *(pattern.value.to_bytes(6, "big") for pattern in wild)]
    for address in asked:
        found: list[Match] = list(table.on(today).matching(address))
        assert found == list(left.matching(address))
        assert found == [match for match in table.matching(address) if not match.choice.ended(today)]
        assert table.on(today).choice(address) == left.choice(address)


RULES = """
servers: {a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3}
default: c
interfaces: {vlan10: {}}
rules:
"""


@given(st.data())
def test_shortcuts_follow_the_days(data: st.DataObject) -> None:
    """The fast path and the relay agree on each day, when it is built anew for that day."""
    keys = [*(f"02:00:00:00:00:0{last}" for last in range(4)), "02:00:00", "02:00:00:00:*"]
    entry = st.tuples(
        st.sampled_from("ab"), st.sampled_from(["", ", until: 2027-01-30", ", until: 2027-01-31"])
    )
    rules = data.draw(st.dictionaries(st.sampled_from(keys), entry, min_size=1))
    config = build(
        RULES + "".join(f"  {key}: {{server: {server}{until}}}\n" for key, (server, until) in rules.items())
    )
    chance = random.Random(data.draw(st.integers(0, 99)))
    for day in data.draw(st.permutations(["2027-01-30", "2027-01-31", "2027-02-01"])):
        valid = config.on(parse_day(day))
        plain, short = (Relay(valid, assign(valid, LINKS), LINKS) for _ in range(2))
        batch = [
            (request(chaddr=f"02:00:00:00:00:0{chance.randrange(5)}"), VLAN10, ip("0.0.0.0"), False)
            for _ in range(20)
        ]
        fast_path = FastPath(short)
        for _ in range(2):
            found, _taken = outcomes(fast_path, batch)
            for (octets, index, source, unicast), (decision, patched) in zip(batch, found, strict=True):
                expected = bytearray(octets)
                assert bare(plain.decide(expected, index, source, unicast)) == decision
                assert expected == patched


def test_a_relay_of_the_next_day_sends_elsewhere() -> None:
    config = build(MAPPING)
    sent = []
    for day in ("2027-01-31", "2027-02-01", "2027-03-01"):
        valid = config.on(parse_day(day))
        short = FastPath(Relay(valid, assign(valid, LINKS), LINKS))
        octets = message(chaddr="00:11:22:33:44:55")
        ((decision, _),), _ = outcomes(short, [(octets, VLAN10, ip("0.0.0.0"), False)])
        assert isinstance(decision, ToServers)
        sent.append(decision.servers)
    assert sent == [(ip("10.0.0.1"),), (ip("10.0.0.2"), ip("10.0.0.9")), (ip("10.0.0.3"),)]
