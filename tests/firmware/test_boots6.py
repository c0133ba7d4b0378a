"""Three clients of one VLAN boot over IPv6, each from the server that the mapping names, in two mappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.firmware.machine import Card
from tests.firmware.setups6 import MAPPINGS
from tests.firmware.stage6 import Boots6, Stage6

Stage = Callable[..., Stage6]
Keep = Callable[[str, Boots6], None]


def assert_each_booted_from_its_own_server6(boots: Boots6, mapping: Mapping[Card, str]) -> None:
    """Fail unless the right programs ran, and no server heard a client that is not its own."""
    own = {name: {card.mac for card, server in mapping.items() if server == name} for name in boots.heard}
    assert boots.booted == {card.name: [server] for card, server in mapping.items()}, boots.story
    assert boots.heard == own, boots.story
    assert boots.served == own, boots.story
    assert boots.counters["send_failures"] == 0
    assert "Traceback" not in boots.story


@pytest.mark.parametrize("name", MAPPINGS)
def test_each_firmware_boots_over_ipv6_from_the_server_of_its_mac(
    stage6: Stage, keep: Keep, name: str
) -> None:
    boots = stage6().boot(MAPPINGS[name])
    assert_each_booted_from_its_own_server6(boots, MAPPINGS[name])
    keep(f"ipv6/{name}", boots)
