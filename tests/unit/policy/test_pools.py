"""Which of several servers is a client's, by what is thought of them."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.policy.pools import ALL_UP, Standing, chosen, ranked
from pxerelay.policy.servers import Pool, Probing, Strategy
from tests.unit.messages import ip, mac

A, B, C = (ip(f"10.20.0.{last}") for last in (20, 21, 22))
THREE = (A, B, C)
FAILOVER = Pool("altiris", Strategy.FAILOVER, tuple(map(IPv4Address, THREE)))
HASH = Pool("altiris", Strategy.HASH, tuple(map(IPv4Address, THREE)))
CLIENT = mac("02:00:00:00:00:01")

clients = st.binary(min_size=6, max_size=6)
some = st.frozensets(st.sampled_from(THREE))
standings = st.builds(Standing, down=some, doubtful=some, returning=some)
pools = st.sampled_from((FAILOVER, HASH))


def of(*servers: bytes) -> frozenset[bytes]:
    return frozenset(servers)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (ALL_UP, (A,)),
        (Standing(down=of(A)), (B,)),
        (Standing(down=of(A, B)), (C,)),
        (Standing(down=of(B)), (A,)),
        (Standing(down=of(A, B, C)), (A, B, C)),
        (Standing(doubtful=of(A)), (A, B)),
        (Standing(down=of(B), doubtful=of(A)), (A, C)),
        (Standing(down=of(B, C), doubtful=of(A)), (A, B, C)),
        (Standing(returning=of(A)), (B,)),
        (Standing(down=of(B, C), returning=of(A)), (A,)),
        (Standing(returning=of(A), doubtful=of(B)), (B, C)),
    ],
)
def test_failover_goes_by_the_order_of_the_file(standing: Standing, expected: tuple[bytes, ...]) -> None:
    assert chosen(FAILOVER, THREE, CLIENT, standing) == expected


def test_the_hash_is_what_it_is_documented_to_be() -> None:
    """Two relay hosts, of whatever release, choose alike: a change of the function moves clients."""
    order = ranked(Strategy.HASH, THREE, CLIENT)
    assert [IPv4Address(server).packed[-1] for server in order] == [21, 22, 20]
    assert order == ranked(Strategy.HASH, (C, A, B), CLIENT)


@given(pools, clients, standings)
def test_somebody_gets_each_request_and_nobody_twice(pool: Pool, client: bytes, standing: Standing) -> None:
    servers = chosen(pool, THREE, client, standing)
    assert servers
    assert len(set(servers)) == len(servers)
    if len(servers) < len(THREE):
        assert standing.down.isdisjoint(servers)
    if standing == ALL_UP:
        assert len(servers) == 1


@given(clients, st.sampled_from(THREE))
def test_rule_08_only_the_clients_of_a_server_that_goes_move(client: bytes, gone: bytes) -> None:
    before = chosen(HASH, THREE, client, ALL_UP)
    after = chosen(HASH, THREE, client, Standing(down=of(gone)))
    assert (before == after) is (before != (gone,))
    without = [server for server in THREE if server != gone]
    assert after == chosen(HASH, without, client, ALL_UP)


def test_a_hash_spreads_clients_evenly() -> None:
    """Clients with addresses one after the other, as a maker gives them."""
    counted = Counter(
        chosen(HASH, THREE, bytes((2, 0, 0, 0, *number.to_bytes(2, "big"))), ALL_UP)[0]
        for number in range(3000)
    )
    assert all(900 < counted[server] < 1100 for server in THREE)


def test_pools_are_equal_that_send_alike() -> None:
    probed = Pool("other", Strategy.FAILOVER, FAILOVER.hosts, Probing(10, 2, CLIENT))
    assert probed == FAILOVER
    assert hash(probed) == hash(FAILOVER)
    assert FAILOVER != HASH
    assert Pool("altiris", Strategy.FAILOVER, FAILOVER.hosts[::-1]) != FAILOVER
