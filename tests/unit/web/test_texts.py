"""Texts that are there once, and are not kept for ever: clients choose what they say of themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pxerelay.web.seen import Memory
from pxerelay.web.texts import Texts

WEB = Path(__file__).parents[3] / "pxerelay" / "web"


def test_the_same_text_is_the_object_that_was_given_first() -> None:
    texts = Texts(2)
    first, second = "".join(["PXE", "Client"]), "".join(["PXE", "Client"])
    assert first is not second
    assert texts.once(first) is first
    assert texts.once(second) is first
    assert len(texts) == 1


def test_with_one_text_more_than_may_be_known_it_begins_anew() -> None:
    texts = Texts(2)
    for at in range(5):
        assert texts.once(str(at)) == str(at)
        assert len(texts) <= 2


def test_what_clients_say_is_forgotten_with_them() -> None:
    """Each says something else, a hundred thousand times, and three are remembered."""
    saying = (
        "import resource\n"
        "from pxerelay.web.seen import Memory\n"
        "memory = Memory(3)\n"
        "def say(count):\n"
        "    for at in range(count):\n"
        "        mac = f'02:00:00:{at >> 16:02x}:{at >> 8 & 255:02x}:{at & 255:02x}'\n"
        "        memory.note({'mac': mac, 'request': True, 'client': f'{at:090}', 'at': at})\n"
        "say(10_000)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "say(100_000)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", saying], check=True, capture_output=True, text=True, timeout=120
    )
    assert int(told.stdout) < 8 * 1024, "KB; what they said takes 14 MB"


def test_nothing_of_the_page_gives_a_text_away_for_ever() -> None:
    assert len(list(WEB.glob("*.py"))) > 10
    assert not [path.name for path in WEB.glob("*.py") if "intern(" in path.read_text()]


def test_a_memory_has_a_text_once() -> None:
    memory = Memory()
    for at in range(2):
        mac = f"02:00:00:00:00:{at:02x}"
        memory.note({"mac": mac, "request": True, "client": "".join(["PXE", "Client"]), "at": at})
    said = [memory.of(f"02:00:00:00:00:{at:02x}")[4]["asked"]["client"] for at in range(2)]
    assert said[0] == "PXEClient"
    assert said[0] is said[1]
