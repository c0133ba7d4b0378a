"""Who has one of a server's few slots, and who has to go."""

from __future__ import annotations

from pxerelay.daemon.slots import Slot, Slots


class Scene:
    """Six slots, three for one source, and who had to go, in order."""

    def __init__(self) -> None:
        self.slots = Slots(6, 3)
        self.gone: list[str] = []

    def comes(self, source: str, name: str) -> Slot | None:
        """Have a peer connect."""
        slot = self.slots.take(source)
        if slot:
            slot.leave = lambda: self.gone.append(name)
        return slot


def test_of_one_source_the_oldest_goes_and_nobody_else() -> None:
    scene = Scene()
    scene.comes("prometheus", "scraper")
    for number in range(5):
        assert scene.comes("mallory", f"m{number}")
    assert scene.gone == ["m0", "m1"]


def test_whom_we_work_for_stays() -> None:
    scene = Scene()
    slots = [scene.comes("root", f"r{number}") for number in range(3)]
    for slot in slots[:2]:
        assert slot
        slot.busy = True
    assert scene.comes("root", "r3")
    assert scene.gone == ["r2"]
    for slot in scene.slots._taken:
        slot.busy = True
    assert scene.comes("root", "r4") is None
    assert scene.comes("other", "o")
    assert scene.gone == ["r2"]


def test_where_all_are_taken_who_was_never_served_goes() -> None:
    scene = Scene()
    known = scene.comes("prometheus", "scraper")
    assert known
    scene.slots.served(known)
    for number in range(5):
        scene.comes(f"user{number}", f"u{number}")
    assert scene.comes("stranger", "s"), "in the slot of another one"
    assert scene.comes("prometheus", "again")
    assert scene.gone == ["u0", "u1"]


def test_a_stranger_displaces_nobody_who_was_served() -> None:
    scene = Scene()
    for source in ("a", "b"):
        for number in range(3):
            slot = scene.comes(source, f"{source}{number}")
            assert slot
            scene.slots.served(slot)
    assert scene.comes("stranger", "s") is None
    assert scene.gone == []
    scene.slots.give_back(next(iter(scene.slots._taken)))
    assert scene.comes("stranger", "s")


def test_of_several_sources_it_is_the_one_that_has_most() -> None:
    scene = Scene()
    for source, count in (("a", 2), ("b", 3), ("c", 1)):
        for number in range(count):
            scene.comes(source, f"{source}{number}")
    assert scene.comes("d", "d0")
    assert scene.gone == ["b0"]


def test_a_place_that_is_given_back_is_free() -> None:
    scene = Scene()
    for slot in [scene.comes(str(number), "x") for number in range(6)]:
        assert slot
        scene.slots.give_back(slot)
        scene.slots.give_back(slot)
    assert all(scene.comes("other", str(number)) for number in range(3))
    assert scene.gone == []


def test_of_sources_that_were_served_a_bounded_number_is_remembered() -> None:
    scene = Scene()
    for number in range(1000):
        slot = scene.comes(str(number), "x")
        assert slot
        scene.slots.served(slot)
        scene.slots.give_back(slot)
    assert len(scene.slots._known) == 64
