"""What is thought of servers, by what was seen and when."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.policy.servers import Pool, Probing, Strategy
from pxerelay.relay.health import HURRIED_EVERY, Health
from pxerelay.relay.transactions import Record
from tests.unit.messages import ip
from tests.unit.messages6 import ip6

A, B = ip("10.20.0.20"), ip("10.20.0.21")
ADDRESSES = (IPv4Address(A), IPv4Address(B))
POOL = Pool("altiris", Strategy.FAILOVER, ADDRESSES)
PROBED = Pool("altiris", Strategy.FAILOVER, ADDRESSES, Probing(10, 2, bytes(6)))


class Scene:
    """A pool, what is seen of its servers, and a clock."""

    def __init__(self, pool: Pool = POOL) -> None:
        self.health = Health()
        self.follow(pool, 0.0)
        self.seen = {A: Record(), B: Record()}

    def follow(self, pool: Pool, now: float) -> None:
        """Have a pool followed."""
        self.health.follow({"altiris": pool}, [ResolvedNames().of], now)

    def asked(self, server: bytes, now: float) -> None:
        """Have a client boot."""
        seen = self.seen[server]
        seen.silent += 1
        seen.silent_since = now if seen.silent_since is None else seen.silent_since

    def answered(self, server: bytes, now: float) -> None:
        """Have the server say something."""
        self.seen[server] = record = Record()
        record.last_reply = now

    def at(self, now: float) -> Standing:
        """Return what is thought at a time."""
        self.health.judge(self.seen.get, now)
        return self.health.standing(now)

    @property
    def told(self) -> list[str]:
        """What is new since the last look."""
        told = [one.text.removeprefix("server altiris ") for one in self.health.news]
        self.health.news.clear()
        return told


def test_everybody_is_up_to_begin_with() -> None:
    scene = Scene()
    assert scene.at(1000.0) == ALL_UP
    assert scene.told == []


def test_a_lone_client_is_doubted_for_in_time_for_its_second_try() -> None:
    """Firmware asks again after 4 seconds, and after 8 more (PXE 2.1, 2.2.3)."""
    scene = Scene()
    scene.asked(A, 100.0)
    assert scene.at(102.9) == ALL_UP
    assert scene.at(103.0) == Standing(doubtful=frozenset({A}))
    scene.asked(A, 104.0)
    assert scene.at(106.9) == Standing(doubtful=frozenset({A}))
    assert scene.at(107.0) == Standing(down=frozenset({A}))
    assert scene.told == [
        "10.20.0.20 does not answer: the next one gets a copy",
        "10.20.0.20 is down: 2 requests in 7 s, no answer",
    ]


def test_one_request_without_an_answer_is_no_proof_however_long_ago() -> None:
    scene = Scene()
    scene.asked(A, 0.0)
    assert scene.at(10_000.0) == Standing(doubtful=frozenset({A}))


def test_many_requests_are_proof_at_once() -> None:
    scene = Scene()
    for number in range(60):
        scene.asked(A, number * 0.05)
        assert scene.at(number * 0.05) == ALL_UP
    assert scene.at(3.0) == Standing(down=frozenset({A}))


def test_any_reply_ends_the_doubt() -> None:
    scene = Scene()
    scene.asked(A, 100.0)
    scene.at(103.0)
    scene.answered(A, 103.2)
    assert scene.at(103.5) == ALL_UP
    assert scene.told[-1] == "10.20.0.20 answers again"


def fallen(scene: Scene, now: float) -> Standing:
    """Have A not answer at a time and until it is down, 7 seconds later."""
    scene.asked(A, now)
    scene.asked(A, now + 4)
    standing = scene.at(now + 7)
    assert standing.down == {A}
    return standing


def test_a_server_that_says_something_is_up_and_its_clients_return_later() -> None:
    scene = Scene()
    fallen(scene, 100.0)
    scene.answered(A, 120.0)
    assert scene.at(120.5) == Standing(returning=frozenset({A}))
    assert scene.at(150.4) == Standing(returning=frozenset({A}))
    assert scene.at(150.5) == ALL_UP
    assert scene.told[-1] == "10.20.0.20 is up; clients return to it if it stays so for 30 s"


def test_a_reply_from_before_the_fall_proves_nothing() -> None:
    scene = Scene()
    scene.answered(A, 99.0)
    fallen(scene, 100.0)
    assert scene.at(200.0).down == {A}


def test_clients_return_the_later_the_more_often_a_server_falls() -> None:
    scene = Scene()
    now, waits = 0.0, []
    for _ in range(7):
        fallen(scene, now)
        scene.answered(A, now + 8)
        assert scene.at(now + 8).returning == {A}
        waits.append(next(wait for wait in range(1000) if not scene.at(now + 8 + wait).returning))
        now += 1000
    assert waits == [30, 60, 120, 240, 480, 480, 480]
    now += 4000
    fallen(scene, now)
    scene.answered(A, now + 8)
    assert scene.at(now + 8).returning == {A}
    assert not scene.at(now + 38).returning, "after an hour it is forgiven"


def test_a_server_may_fall_while_it_returns() -> None:
    scene = Scene()
    fallen(scene, 0.0)
    scene.answered(A, 10.0)
    scene.at(10.0)
    assert fallen(scene, 12.0) == Standing(down=frozenset({A}))


@pytest.mark.parametrize("failures", [1, 2, 5])
def test_a_probed_server_is_down_after_two_questions_in_a_row(failures: int) -> None:
    scene = Scene(PROBED)
    for number in range(failures):
        scene.health.asked(ADDRESSES[0], 10.0 * number, answered=False)
    doubtful = Standing(doubtful=frozenset({A}))
    assert scene.at(100.0) == (doubtful if failures == 1 else Standing(down=frozenset({A})))
    scene.health.asked(ADDRESSES[0], 101.0, answered=True)
    assert scene.at(101.0).down == frozenset()
    assert scene.at(101.0).doubtful == frozenset()
    scene.health.asked(ADDRESSES[0], 111.0, answered=False)
    assert scene.at(111.0).doubtful == {A}, "one that fails is no two in a row"


def intervals(scene: Scene) -> list[float]:
    """Return after how many seconds each server is asked again."""
    return [seconds for _, _, seconds in scene.health.to_ask()]


def test_with_a_probe_clients_requests_are_a_reason_to_ask_at_once_and_no_more() -> None:
    """However many they are: anybody can invent them."""
    scene = Scene(PROBED)
    assert intervals(scene) == [10.0, 10.0]
    for number in range(100):
        scene.asked(A, float(number))
        assert scene.at(float(number)) == ALL_UP
    assert scene.at(100.0) == ALL_UP
    assert scene.told == []
    assert intervals(scene) == [HURRIED_EVERY, 10.0]
    scene.answered(A, 100.1)
    scene.health.asked(ADDRESSES[0], 100.1, answered=True)
    assert scene.at(100.5) == ALL_UP
    assert intervals(scene) == [10.0, 10.0]
    assert list(scene.health.to_try()) == []


def test_a_probe_without_an_answer_is_a_doubt_and_the_next_one_goes_at_once() -> None:
    scene = Scene(PROBED)
    scene.health.asked(ADDRESSES[0], 2.0, answered=False)
    assert scene.at(2.0) == Standing(doubtful=frozenset({A}))
    assert intervals(scene) == [0.0, 10.0]
    assert scene.told == ["10.20.0.20 does not answer: the next one gets a copy"]
    scene.health.asked(ADDRESSES[0], 4.0, answered=False)
    assert scene.at(4.0) == Standing(down=frozenset({A}))
    assert intervals(scene) == [10.0, 10.0]


def test_with_a_probe_a_reply_to_a_client_does_not_end_a_fall() -> None:
    scene = Scene(PROBED)
    for when in (0.0, 1.0):
        scene.health.asked(ADDRESSES[0], when, answered=False)
    scene.answered(A, 2.0)
    assert scene.at(3.0) == Standing(down=frozenset({A}))


def test_a_question_decides_nothing_without_a_probe() -> None:
    scene = Scene()
    for _ in range(3):
        scene.health.asked(ADDRESSES[0], 1.0, answered=False)
    assert scene.at(1.0) == ALL_UP
    assert list(scene.health.to_ask()) == []


def test_a_server_that_is_down_is_tried_unless_all_are() -> None:
    """If all are down each gets a copy of everything already."""
    scene = Scene()
    assert list(scene.health.to_try()) == []
    fallen(scene, 0.0)
    assert list(scene.health.to_try()) == [(POOL, ADDRESSES[0])]
    for when in (1.0, 5.0):
        scene.asked(B, when)
    assert scene.at(9.0).down == {A, B}
    assert list(scene.health.to_try()) == []


def test_a_reload_forgets_nothing_about_servers_that_stay() -> None:
    scene = Scene()
    fallen(scene, 0.0)
    more = Pool("other", Strategy.HASH, (*ADDRESSES, IPv4Address("10.20.0.22")))
    scene.health.follow({"other": more}, [ResolvedNames().of], 50.0)
    assert scene.at(51.0).down == {A}
    told = scene.health.told(60.0)["other"]
    assert [(one.up, one.since) for one in told.values()] == [(False, 7.0), (True, 0.0), (True, 50.0)]
    scene.health.follow({}, [ResolvedNames().of], 61.0)
    assert scene.at(62.0) == ALL_UP
    scene.follow(POOL, 63.0)
    assert scene.at(63.0).down == {A}, "what was seen of it holds"


def test_a_name_stands_for_all_its_addresses() -> None:
    health = Health()
    pool = Pool("altiris", Strategy.FAILOVER, ("wds.example.net", ADDRESSES[1]))
    answers = ResolvedNames({"wds.example.net": ResolvedName(tuple(reversed(ADDRESSES)))})
    health.follow({"altiris": pool}, [answers.of], 0.0)
    assert list(health.told(0.0)["altiris"]) == [ADDRESSES[1], ADDRESSES[0]]


def test_first_answers_are_awaited_until_each_server_has_answered_or_is_down() -> None:
    scene = Scene(PROBED)
    health = scene.health
    assert health.awaits_first_answers
    health.asked(ADDRESSES[0], 1.0, answered=True)
    assert health.awaits_first_answers
    health.asked(ADDRESSES[1], 2.0, answered=False)
    assert health.awaits_first_answers, "it is doubtful, and asked again at once"
    health.asked(ADDRESSES[1], 4.0, answered=False)
    assert not health.awaits_first_answers
    health.asked(ADDRESSES[0], 11.0, answered=False)
    assert not health.awaits_first_answers, "it has answered before"


def test_no_first_answers_are_awaited_of_servers_that_nobody_asks() -> None:
    assert not Scene(POOL).health.awaits_first_answers
    assert not Health().awaits_first_answers


def test_first_answers_are_awaited_of_a_server_whose_name_has_no_address_yet() -> None:
    pool = Pool("altiris", Strategy.FAILOVER, ("wds.example.net",), Probing(10, 2, bytes(6)))
    health = Health()
    health.follow({"altiris": pool}, [ResolvedNames().of], 0.0)
    assert health.awaits_first_answers
    answer = ResolvedNames({"wds.example.net": ResolvedName(ADDRESSES[:1])})
    health.follow({"altiris": pool}, [answer.of], 1.0)
    assert health.awaits_first_answers
    health.asked(ADDRESSES[0], 2.0, answered=True)
    assert not health.awaits_first_answers


A6, B6 = ip6("2001:db8:20::20"), ip6("2001:db8:20::21")
BOTH = Pool("altiris", Strategy.FAILOVER, (*ADDRESSES, *map(IPv6Address, (A6, B6))))


class Families:
    """A pool in both families, and what is seen of its servers."""

    def __init__(self, pool: Pool = BOTH) -> None:
        self.health, answers = Health(), ResolvedNames()
        self.health.follow({"altiris": pool}, [answers.of, answers.of6], 0.0)
        self.seen = {server: Record() for server in (A, B, A6, B6)}

    def fall(self, *servers: bytes, now: float) -> Standing:
        """Have many clients of servers without an answer for long enough."""
        for server in servers:
            self.seen[server].silent, self.seen[server].silent_since = 8, now - 3.0
        self.health.judge(self.seen.get, now)
        return self.health.standing(now)


def test_a_server_may_be_down_in_one_family_and_up_in_the_other() -> None:
    scene = Families()
    assert scene.fall(A6, now=10.0) == Standing(down=frozenset({A6}))
    told = scene.health.told(10.0)["altiris"]
    assert [str(address) for address in told] == [
        "10.20.0.20",
        "10.20.0.21",
        "2001:db8:20::20",
        "2001:db8:20::21",
    ]
    assert [one.up for one in told.values()] == [True, True, False, True]
    (news,) = scene.health.news
    assert news.text == "server altiris 2001:db8:20::20 is down: 8 requests in 3 s, no answer"
    assert [address.packed for _, address in scene.health.to_try()] == [A6]


def test_where_all_of_a_family_are_down_each_gets_copies_and_none_is_tried() -> None:
    scene = Families()
    scene.fall(A6, B6, A, now=10.0)
    assert [address.packed for _, address in scene.health.to_try()] == [A]


def test_questions_are_asked_in_both_families() -> None:
    scene = Families(replace(BOTH, probing=Probing(10, 2, bytes(6))))
    assert [address.packed for _, address, _ in scene.health.to_ask()] == [A, B, A6, B6]
    assert scene.health.awaits_first_answers
    for server in BOTH.hosts:
        assert scene.health.awaits_first_answers
        assert not isinstance(server, str)
        scene.health.asked(server, 1.0, answered=True)
    assert not scene.health.awaits_first_answers


def test_a_pool_with_addresses_of_one_family_awaits_none_of_the_other() -> None:
    scene = Families(replace(PROBED, hosts=ADDRESSES))
    for server in ADDRESSES:
        scene.health.asked(server, 1.0, answered=True)
    assert not scene.health.awaits_first_answers
