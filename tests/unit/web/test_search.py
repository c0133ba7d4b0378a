"""What somebody types, and what is found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pxerelay.web import advice
from pxerelay.web.daemon_client import DaemonClient
from pxerelay.web.search import Search, digits_of, mac_of
from pxerelay.web.seen import Memory
from tests.unit.web.asking import CONFIG, daemon, usual, word

DOCS = Path(__file__).parents[3] / "docs"

MAC = "02:00:00:00:00:99"


@pytest.mark.parametrize(
    "text",
    [
        "02:00:00:00:00:99",
        "02-00-00-00-00-99",
        "0200.0000.0099",
        "020000000099",
        " 02 00 00 00 00 99 ",
        "020000-000099",
    ],
)
def test_an_address_is_known_in_any_spelling(text: str) -> None:
    assert mac_of(text) == MAC
    assert mac_of(text.upper()) == MAC


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("02:8", "028"),
        ("028064*", "028064"),
        ("a", ""),
        ("lab", ""),
        ("0" * 13, ""),
        ("", ""),
        ("BEEF", "beef"),
    ],
)
def test_a_part_of_one_too(text: str, digits: str) -> None:
    assert digits_of(text) == digits
    assert mac_of(text) == ""


def find(folder: Path, text: str, memory: Memory, says: Any = usual) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        path = folder / "control.sock"
        async with daemon(path, says):
            return await Search(DaemonClient(path), memory).find(text)

    return asyncio.run(run())


def event(mac: str, *, request: bool = True, at: float = 1000.0, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"event": "message", "family": 4, "mac": mac, "at": at, "request": request}
    if request:
        told |= {"interface": "vlan10", "client": "PXEClient", "message": "DISCOVER", "reason": "default"}
        told |= {
            "servers": [{"name": "ris", "address": "10.20.0.10"}],
            "router": "",
            "dropped": "",
            "meaning": "",
        }
    else:
        told |= {"server": {"name": "ris", "address": "10.20.0.10"}, "message": "OFFER", "boot_file": "a.0"}
        told |= {"dropped": "", "meaning": "", "milliseconds": 2.5}
    return told | more


def test_a_client_is_told_of_with_what_was_heard_of_it(tmp_path: Path) -> None:
    memory = Memory()
    memory.note(event(MAC))
    memory.note(event(MAC, request=False, at=1000.1))
    found = find(tmp_path, "020000000099", memory)["client"]
    assert found["mapping"][0]["servers"] == ["ris 10.20.0.10"]
    assert found["fell_to_default"]["interface"] == "vlan10"
    assert found["seen"]["4"]["answered"]["boot_file"] == "a.0"
    assert found["seen"]["4"]["asked"]["servers"] == ["ris 10.20.0.10"]
    assert found["vendor"] == "locally administered"
    assert found["advice"] == [advice.DEFAULT_SAYS, advice.ANSWERED]


def test_a_part_lists_who_was_heard_the_newest_first(tmp_path: Path) -> None:
    memory = Memory()
    for number in range(60):
        memory.note(event(f"02:00:00:00:77:{number:02x}", at=float(number)))
    found = find(tmp_path, "0000:77", memory)
    assert [one["mac"] for one in found["clients"]][:2] == ["02:00:00:00:77:3b", "02:00:00:00:77:3a"]
    assert len(found["clients"]) == 50
    assert [one["mac"] for one in find(tmp_path, "00:00:99", memory)["clients"]] == [MAC], (
        "unknown clients too"
    )


def test_nothing_is_asked_for_nothing_and_no_daemon_is_told_of(tmp_path: Path) -> None:
    assert find(tmp_path, "  ", Memory()) == {
        "query": "",
        "client": None,
        "rules": [],
        "clients": [],
        "error": "",
    }
    gone = Search(DaemonClient(tmp_path / "gone.sock"), Memory())
    assert "no daemon answers at" in asyncio.run(gone.find("ab"))["error"]

    def refuses(_: Mapping[str, Any]) -> list[Any]:
        return [{"error": "not now"}]

    assert find(tmp_path, "ab", Memory(), refuses)["error"] == "not now"


def test_what_anybody_says_is_printable(tmp_path: Path) -> None:
    memory = Memory()
    memory.note(event(MAC, client="\x1b[2J\u202e"))
    told = find(tmp_path, MAC, memory)
    assert told["client"]["seen"]["4"]["asked"]["client"] == "\\x1b[2J\\u202e"
    assert find(tmp_path, "\x00", memory)["query"] == "\\x00"


def test_memory_has_a_bound_and_forgets_who_was_heard_longest_ago() -> None:
    memory = Memory(3)
    for number in (1, 2, 3, 1, 4):
        memory.note(event(f"02:00:00:00:00:0{number}", client="x" * 5000))
    assert len(memory) == 3
    assert memory.of("02:00:00:00:00:02") == {}
    asked = memory.of("02:00:00:00:00:01")[4]["asked"]
    assert len(asked["client"]) < 200
    memory.note({"event": "message", "mac": None})
    memory.note({"event": "message", "mac": ""})
    assert len(memory) == 3


def test_a_boot_file_is_not_forgotten_for_a_later_answer_without_one() -> None:
    memory = Memory()
    memory.note(event(MAC, request=False))
    memory.note(event(MAC, request=False, at=1001.0, boot_file=""))
    assert memory.of(MAC)[4]["answered"]["boot_file"] == "a.0"


def test_both_families_are_remembered_apart() -> None:
    memory = Memory()
    memory.note(event(MAC))
    memory.note(event(MAC, family=6, interface="vlan20", leases=["2001:db8::5"]))
    assert {family: known["asked"]["interface"] for family, known in memory.of(MAC).items()} == {
        4: "vlan10",
        6: "vlan20",
    }


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], advice.NOTHING_HEARD),
        ([event(MAC, reason="mac")], advice.NOT_ANSWERED),
        ([event(MAC, reason="mac", router="10.30.0.1")], advice.BY_ROUTER),
        ([event(MAC, reason="mac"), event(MAC, request=False, boot_file="")], advice.NO_BOOT_FILE),
        ([event(MAC, reason="mac"), event(MAC, request=False)], advice.ANSWERED),
        ([event(MAC, dropped="flood", meaning="too many")], "dropped: too many"),
        ([event(MAC, reason="mac"), event(MAC, request=False, dropped="x", meaning="why")], "dropped: why"),
    ],
)
def test_what_to_do_is_by_what_was_heard(events: list[dict[str, Any]], expected: str) -> None:
    memory = Memory()
    for one in events:
        memory.note(one)
    told = advice.advice(memory.of(MAC), word(MAC), 2000.0)
    assert len(told) == 1
    assert told[0].startswith(expected)


def test_an_interface_that_waits_is_told_of() -> None:
    told = advice.advice({}, word(MAC, waiting=["vlan20 waiting: the interface is not there"]), 0.0)
    assert told[1] == f"vlan20 waiting: the interface is not there: {advice.WAITING}"


def test_these_are_the_words_of_the_documentation() -> None:
    page = (DOCS / "troubleshooting.md").read_text("utf-8").replace("`", "").replace("*", "")
    texts = [value for name, value in vars(advice).items() if name.isupper() and isinstance(value, str)]
    assert len(texts) == 7
    for text in texts:
        for sentence in text.split(". "):
            assert sentence.rstrip(".?") in page, sentence


def test_what_was_loaded_since_is_never_taken_for_older(tmp_path: Path) -> None:
    """Status may be seconds old; once a client's mapping tells of another configuration, it is not."""
    loaded = {"config": CONFIG}

    def says(request: Mapping[str, Any]) -> list[Any]:
        (answer,) = usual(request)
        return [{**answer, **loaded}] if request["command"] in ("status", "clients") else [answer]

    async def run() -> list[str]:
        path = tmp_path / "control.sock"
        async with daemon(path, says):
            client = DaemonClient(path)
            seen = [(await client.status())["config"]["sha256"]]
            loaded["config"] = {**CONFIG, "sha256": "cd" * 32}
            seen.append((await client.client(MAC))["config"]["sha256"])
            return [*seen, (await client.status())["config"]["sha256"]]

    assert asyncio.run(run()) == ["ab" * 32, "cd" * 32, "cd" * 32]
