"""Messages of DHCPv6 for the relays: what they are, how they are sent, and words for both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.lab.frames import Checksum
from tests.lab.frames6 import ALL_AGENTS, link_local
from tests.lab.topology6 import ALTIRIS6, CLIENT_VLANS6, RELAY_CORE6, RIS6
from tests.unit.messages6 import (
    ADVERTISE,
    RELAY_REPL,
    REPLY,
    boot,
    hardware,
    message,
    option,
    plain,
    relayed,
    release,
)

CLIENT_MAC = "02:00:00:00:00:01"
CLIENT = link_local(bytes.fromhex(CLIENT_MAC.replace(":", "")))
RELAY_MACS = {"vlan10": "02:00:00:00:0a:01", "vlan20": "02:00:00:00:0a:02", "core": "02:00:00:00:0a:03"}
OWN = {name: link_local(bytes.fromhex(mac.replace(":", ""))) for name, mac in RELAY_MACS.items()}
"""The relay host's own Ethernet and link-local addresses."""
GLOBAL = {name: str(subnet[1]) for name, subnet in CLIENT_VLANS6.items()} | {"core": RELAY_CORE6}

NEIGHBOUR = "2001:db8:10:10::abc"
"""A global address of the client."""
NEAR_ROUTER, FAR_ROUTER = "2001:db8:10:10::77", "2001:db8:20::66"
"""Relay agents that may relay to us: one is simulated by the client's wire, one by the stranger's."""
NOWHERE = "2001:db8:dead::abc"


@dataclass(frozen=True)
class Delivery6:
    """How a message travels: from which wire, and in which headers."""

    origin: str = "client"
    """`client`, `server` or `stranger`."""
    source: str = CLIENT
    destination: str = ALL_AGENTS
    ports: tuple[int, int] = (546, 547)
    checksum: Checksum = Checksum.GOOD
    hop_limit: int = 64


SHOUTED = Delivery6()
"""As a client asks."""
SWITCHED = Delivery6(ports=(547, 547))
"""As a switch hands on what its clients ask (RFC 6221)."""
ROUTED = Delivery6("stranger", FAR_ROUTER, RELAY_CORE6, (547, 547))
"""As a router far away hands on what its clients ask."""
ANSWERED = Delivery6("server", RIS6, RELAY_CORE6, (547, 547))
"""As the server answers."""
FORGED = replace(ANSWERED, origin="stranger", source=ALTIRIS6)
"""As a host answers that is no server of ours."""


@dataclass(frozen=True)
class Case6:
    """A message with a name; `words` are what rows of differences.yml call it."""

    name: str
    message: bytes
    delivery: Delivery6
    words: frozenset[str]


def cases() -> list[Case6]:
    """Return every case, those of clients first."""
    return [
        Case6(name, octets, delivery, frozenset(words.split(", ")))
        for name, octets, delivery, words in (
            *(*_types(), *_octets(), *_deliveries(), *_relayed()),
            *(*_large(), *_replies()),
        )
    ]


GROWS = "grows"
"""The word for messages that make a relay's buffers grow: dnsmasq's then writes to memory that it has freed,
and is not the same after one of them."""

Made = Iterator[tuple[str, bytes, Delivery6, str]]


def _types() -> Made:
    kinds = {2: "a server's type", 7: "a server's type", 10: "a server's type"}
    known = {1, 3, 4, 5, 6, 8, 9, 11, 14, 20}
    for kind in (*range(12), *range(14, 24), 35, 36, 37, 99, 255):
        word = kinds.get(kind, "a client's type" if kind in known else "another type")
        yield f"type {kind}", message(kind), SHOUTED, word
    for name, octets in (("firmware", boot()), ("a system", plain()), ("a release", release())):
        yield name, octets, SHOUTED, "a client's type"


def _octets() -> Made:
    for size in (0, 1, 3):
        yield f"{size} octets", message()[:size], SHOUTED, f"truncated, of {size} octets"
    yield "4 octets, no options", message(duid=None), SHOUTED, "a client's type"
    for name, octets, word in (
        ("last option cut off", message(options=option(6, bytes(20))[:-9]), "cut off"),
        ("only half of an option's head", message(options=b"\0\6\0"), "cut off"),
        ("one stray octet at the end", message(options=b"\0"), "a stray octet"),
        ("no client id", message(duid=None, options=option(8, b"\0\0")), "whole"),
        ("option 79 of its own", message(options=hardware("02:00:00:00:00:99")), "whole"),
        ("option 18 of its own", message(options=option(18, b"vlan20")), "whole"),
        ("an unknown option", message(options=option(65000, b"x")), "whole"),
        ("100 empty options", message(options=option(65000) * 100), "whole"),
    ):
        yield name, octets, SHOUTED, f"a client's type, {word}"


def _deliveries() -> Made:
    ways = (
        ("source port 12345", replace(SHOUTED, ports=(12345, 547)), "another port"),
        ("source ::", replace(SHOUTED, source="::"), "from no address"),
        ("source ::1", replace(SHOUTED, source="::1"), "from the loopback address"),
        ("source a global one of the VLAN", replace(SHOUTED, source=NEIGHBOUR), "from a global address"),
        ("source a global one of nowhere", replace(SHOUTED, source=NOWHERE), "from nowhere"),
        ("unicast to the VLAN's address", replace(SHOUTED, destination=GLOBAL["vlan10"]), "unicast"),
        ("unicast to the link-local address", replace(SHOUTED, destination=OWN["vlan10"]), "unicast"),
        ("to ff05::1:3", replace(SHOUTED, destination="ff05::1:3"), "to a group that is not joined"),
        ("to ff02::1", replace(SHOUTED, destination="ff02::1"), "to all nodes"),
        ("hop limit 255", replace(SHOUTED, hop_limit=255), "usual"),
        ("hop limit 1", replace(SHOUTED, hop_limit=1), "usual"),
        ("bad checksum", replace(SHOUTED, checksum=Checksum.BAD), "damaged"),
        ("checksum 0", replace(SHOUTED, checksum=Checksum.NONE), "damaged"),
        (
            "in transit to another server",
            replace(SHOUTED, source=NEIGHBOUR, destination=ALTIRIS6),
            "in transit",
        ),
    )
    for name, delivery, word in ways:
        yield name, message(), delivery, f"a client's type, {word}"
    afar = replace(ROUTED, ports=(546, 547))
    yield "a SOLICIT from afar", message(), afar, "a client's type, unicast, from afar"


def _relayed() -> Made:
    for hops in (0, 1, 6, 7, 8, 9, 10, 31, 32, 255):
        word = "hop-count below 8" if hops < 8 else "hop-count 8 or more"
        octets = relayed(message(), hops=hops, front=option(18, b"port7"))
        yield f"switch, hop-count {hops}", octets, SWITCHED, f"relayed, by a switch, {word}"
        away = relayed(message(), hops=hops, link="2001:db8:77::1")
        yield f"far router, hop-count {hops}", away, ROUTED, f"relayed, by a far router, {word}"
    usual = "relayed, hop-count below 8"
    inner = relayed(message(), link="2001:db8:77::1")
    odd = replace(SWITCHED, ports=(1000, 547))
    yield "switch, port 1000", relayed(message()), odd, f"{usual}, by a switch, another port"
    near = replace(SWITCHED, source=NEAR_ROUTER)
    yield "near router, to the group", inner, near, f"{usual}, by a near router, usual"
    direct = replace(near, destination=GLOBAL["vlan10"])
    yield "near router, unicast", inner, direct, f"{usual}, by a near router, usual"
    elsewhere = replace(ROUTED, destination=GLOBAL["vlan10"])
    yield "far router, to the VLAN's address", inner, elsewhere, f"{usual}, by a far router"
    strange = replace(ROUTED, source=ALTIRIS6)
    yield "a stranger relays", inner, strange, f"{usual}, by a stranger"
    client = replace(near, source=NEIGHBOUR)
    yield "a client relays", inner, client, f"{usual}, by a client"
    for name, delivery in (("near router", near), ("far router", ROUTED)):
        own = relayed(message(), link=GLOBAL["vlan10"])
        yield f"{name}, link-address ours", own, delivery, f"{usual}, link-address ours, by a {name}"
        deep = relayed(own, hops=1, link="2001:db8:77::1")
        yield f"{name}, link-address ours inside", deep, delivery, f"{usual}, link-address ours, by a {name}"
    nested = message()
    for _ in range(12):
        nested = relayed(nested, hops=3)
    yield "switch, 12 layers", nested, SWITCHED, f"{usual}, too deep, by a switch"
    for name, octets in (
        ("no relay message", relayed(b"")[:34] + option(18, b"x")),
        ("an empty relay message", relayed(b"")),
        ("a relay message of 2 octets", relayed(b"\1\0")),
        ("a relay message that is cut off", relayed(message())[:-4]),
    ):
        yield f"switch, {name}", octets, SWITCHED, f"{usual}, nothing inside, by a switch"
    for size in (20, 33):
        cut = relayed(message())[:size]
        yield f"switch, {size} octets", cut, SWITCHED, f"relayed, truncated, by a switch, of {size} octets"


def _answer(
    inside: bytes,
    *,
    name: bytes | None = b"{id}",
    link: str = GLOBAL["vlan10"],
    peer: str = CLIENT,
    hops: int = 0,
    behind: bytes = b"",
    front: bytes = b"",
) -> bytes:
    """Return a RELAY-REPL; `{id}` and `{id2}` stand for what the relay says as Interface-Id of its VLANs."""
    marked = b"" if name is None else _marked(name)
    return relayed(
        inside, hops=hops, link=link, peer=peer, front=front + marked, behind=behind, kind=RELAY_REPL
    )


def _marked(name: bytes) -> bytes:
    return name if name in (b"{id}", b"{id2}") else option(18, name)


def _replies() -> Made:
    offer = message(ADVERTISE, option(3, bytes(12)))
    last = message(REPLY)
    usual = "a reply"
    yield "an answer", _answer(offer), ANSWERED, usual
    yield "Interface-Id behind the message", _answer(offer, name=None, behind=b"{id}"), ANSWERED, usual
    there = replace(ANSWERED, destination=GLOBAL["vlan10"])
    yield "to the VLAN's address", _answer(offer), there, usual
    for size in (1200, 1444, 2000):
        whole = message(ADVERTISE, option(17, bytes(size)))
        yield f"an ADVERTISE of {len(whole)} octets", _answer(whole), ANSWERED, f"{usual}, large"
    unnamed = _answer(offer, name=None)
    yield "no Interface-Id", unnamed, ANSWERED, f"{usual}, no Interface-Id"
    for foreign in (b"foo", b"\xff\xff\xff\xff", b""):
        octets = _answer(offer, name=foreign)
        yield f"Interface-Id {foreign.hex()}", octets, ANSWERED, f"{usual}, another Interface-Id"
    yield "Interface-Id of vlan20", _answer(offer, name=b"{id2}"), ANSWERED, f"{usual}, of the other VLAN"
    two = _answer(offer, front=b"{id}", name=b"{id2}")
    yield "two Interface-Ids", two, ANSWERED, f"{usual}, two Interface-Ids"
    nobody = "2001:db8:dead::1"
    yield "link-address of nobody", _answer(offer, link=nobody), ANSWERED, f"{usual}, link-address of nobody"
    lost = _answer(offer, link=nobody, name=None)
    yield "link-address of nobody, no id", lost, ANSWERED, f"{usual}, link-address of nobody, no Interface-Id"
    yield "link-address ::", _answer(offer, link="::"), ANSWERED, f"{usual}, link-address of nobody"
    unset = _answer(offer, link="::", name=None)
    yield "link-address ::, no id", unset, ANSWERED, f"{usual}, link-address of nobody, no Interface-Id"
    yield "from no server", _answer(offer), FORGED, f"{usual}, forged"
    odd = replace(ANSWERED, ports=(1024, 547))
    yield "from another port", _answer(offer), odd, f"{usual}, another port"
    for name, destination in (("to the group", ALL_AGENTS), ("unicast", GLOBAL["vlan10"])):
        for who, source in (("a client", CLIENT), ("a client as the server", RIS6)):
            way = Delivery6("client", source, destination, (547, 547))
            yield f"{who}, {name}", _answer(offer), way, f"{usual}, forged, on the client's VLAN"
    empty = _answer(b"")
    yield "no relay message", empty[: len(empty) - 4], ANSWERED, f"{usual}, nothing inside, none"
    for size in (0, 1, 3):
        octets = _answer(offer[:size])
        yield f"a relay message of {size}", octets, ANSWERED, f"{usual}, nothing inside, of {size} octets"
    cut = _answer(offer)[:-4]
    yield "a relay message that is cut off", cut, ANSWERED, f"{usual}, nothing inside, cut off"
    twice = _answer(offer, behind=option(9, last))
    yield "two relay messages", twice, ANSWERED, f"{usual}, two messages"
    yield "a header of 33 octets", _answer(offer)[:33], ANSWERED, f"{usual}, truncated"
    for kind in (1, 2, 3, 7, 10, 11, 15, 20, 21, 37, 99):
        word = "a server's type" if kind in (2, 7, 10, 15, 21) else "another type"
        yield f"inner type {kind}", _answer(message(kind)), ANSWERED, f"{usual}, inside {word}"
    down = relayed(offer, kind=RELAY_REPL, peer="fe80::9", front=option(18, b"port7"))
    port = option(135, (1000).to_bytes(2, "big"))
    below = f"{usual}, to a relay agent"
    yield "to a switch", _answer(down), ANSWERED, below
    yield (
        "to a switch at port 1000",
        _answer(down, front=port),
        ANSWERED,
        f"{below}, told port",
    )
    yield "to a client, told port 1000", _answer(offer, front=port), ANSWERED, usual
    yield "to a global address", _answer(offer, peer=NEIGHBOUR), ANSWERED, usual
    far = _answer(down, peer=FAR_ROUTER, link="::", name=None)
    yield "to a far router", far, ANSWERED, f"{below}, far"
    linked = _answer(down, peer=FAR_ROUTER, name=None)
    yield "to a far router, with our link-address", linked, ANSWERED, f"{below}, far"
    for peer in ("ff02::1", "::", "::1", RELAY_CORE6):
        yield (
            f"peer-address {peer}",
            _answer(offer, peer=peer),
            ANSWERED,
            f"{usual}, to nobody, to {_word(peer)}",
        )
    yield "hop-count 200", _answer(offer, hops=200), ANSWERED, usual
    yield "a bare REPLY", last, ANSWERED, "a server's type, from the servers' side"
    yield "a bare SOLICIT", message(), ANSWERED, "a client's type, from the servers' side"


def _large() -> Made:
    """Yield what makes buffers grow; before and after it the bench starts relays anew (`GROWS`)."""
    for size, word in ((1000, "of one frame"), (1200, "large"), (1400, "large"), (1440, "too large for one")):
        octets = message(options=option(17, bytes(size - 22)))
        yield f"a SOLICIT of {len(octets)} octets", octets, SHOUTED, f"a client's type, grows, {word}"
    octets = message(options=option(17, bytes(1600)))
    yield "a SOLICIT in fragments", octets, SHOUTED, "a client's type, grows, in fragments"


def _word(peer: str) -> str:
    return {"ff02::1": "all nodes", RELAY_CORE6: "the relay itself"}.get(peer, "no host")
