"""Who has one of a server's few places, and who has to go."""

from __future__ import annotations

from pxerelay.daemon.places import Place, Places


class Scene:
    """Six places, three for one source, and who had to go, in order."""

    def __init__(self) -> None:
        self.places = Places(6, 3)
        self.gone: list[str] = []

    def comes(self, source: str, name: str) -> Place | None:
        """Have a peer connect."""
        place = self.places.take(source)
        if place:
            place.leave = lambda: self.gone.append(name)
        return place


def test_of_one_source_the_oldest_goes_and_nobody_else() -> None:
    scene = Scene()
    scene.comes("prometheus", "scraper")
    for number in range(5):
        assert scene.comes("mallory", f"m{number}")
    assert scene.gone == ["m0", "m1"]


def test_whom_we_work_for_stays() -> None:
    scene = Scene()
    places = [scene.comes("root", f"r{number}") for number in range(3)]
    for place in places[:2]:
        assert place
        place.busy = True
    assert scene.comes("root", "r3")
    assert scene.gone == ["r2"]
    for place in scene.places._taken:
        place.busy = True
    assert scene.comes("root", "r4") is None
    assert scene.comes("other", "o")
    assert scene.gone == ["r2"]


def test_where_all_are_taken_who_was_never_served_goes() -> None:
    scene = Scene()
    known = scene.comes("prometheus", "scraper")
    assert known
    scene.places.served(known)
    for number in range(5):
        scene.comes(f"user{number}", f"u{number}")
    assert scene.comes("stranger", "s"), "in the place of another one"
    assert scene.comes("prometheus", "again")
    assert scene.gone == ["u0", "u1"]


def test_a_stranger_displaces_nobody_who_was_served() -> None:
    scene = Scene()
    for source in ("a", "b"):
        for number in range(3):
            place = scene.comes(source, f"{source}{number}")
            assert place
            scene.places.served(place)
    assert scene.comes("stranger", "s") is None
    assert scene.gone == []
    scene.places.give_back(next(iter(scene.places._taken)))
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
    for place in [scene.comes(str(number), "x") for number in range(6)]:
        assert place
        scene.places.give_back(place)
        scene.places.give_back(place)
    assert all(scene.comes("other", str(number)) for number in range(3))
    assert scene.gone == []


def test_of_sources_that_were_served_a_bounded_number_is_remembered() -> None:
    scene = Scene()
    for number in range(1000):
        place = scene.comes(str(number), "x")
        assert place
        scene.places.served(place)
        scene.places.give_back(place)
    assert len(scene.places._known) == 64
