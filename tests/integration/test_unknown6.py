"""`pxerelay unknown` where clients speak both families, and where routers do not tell their MACs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from tests.integration.conftest import BASE6
from tests.integration.test_unknown import unknown
from tests.lab import dhcp6
from tests.lab.daemon import Daemon
from tests.lab.topology6 import ALTIRIS6, RELAY_CORE6, Network6
from tests.lab.wire import Station
from tests.lab.wire6 import FakeServer6, Station6
from tests.unit.messages import request

Start = Callable[..., Daemon]

PATIENCE = 30.0
BOTH, ONLY6, ONLY4, ROUTED = (
    "02:00:00:00:00:01",
    "02:00:00:10:00:66",
    "02:00:00:10:00:44",
    "02:00:00:10:00:79",
)
DUID = b"\0\4" + bytes(range(16))
CONFIG = f'{BASE6}accept_relayed_from: ["{ALTIRIS6}/128"]\n'


def test_a_client_is_one_line_whichever_family_and_others_are_comments(
    start: Start, network6: Network6, station: Station, station6: Station6
) -> None:
    daemon = start(CONFIG, options=())
    for chaddr in (ONLY4, BOTH):
        station.send(request(chaddr=chaddr))
    station6.send(dhcp6.solicit(dhcp6.duid_ll(station6.mac)))
    other = bytes.fromhex(ONLY6.replace(":", ""))
    station6.send(dhcp6.solicit(dhcp6.duid_ll(other)), sender=other, source="fe80::ff:fe10:66")
    routed = dhcp6.LINK_LAYER_ADDRESS, b"\0\1" + bytes.fromhex(ROUTED.replace(":", ""))
    with closing(FakeServer6(network6.altiris.host)) as router:
        router.send(dhcp6.relayed(12, dhcp6.solicit(DUID), routed, peer="fe80::1"), RELAY_CORE6)
        router.send(dhcp6.relayed(12, dhcp6.solicit(DUID), peer="fe80::1"), RELAY_CORE6)
        daemon.wait_for(lambda: daemon.status()["unknown"] == 5, PATIENCE)
    lines = unknown(daemon.socket).stdout.splitlines()
    told = {line.split('"')[1]: line for line in lines if line.startswith("  ")}
    assert set(told) == {BOTH, ONLY4, ONLY6, ROUTED}
    assert "# vlan10, v4 and v6, PXEClient " in told[BOTH]
    assert "# vlan10, v4, PXEClient " in told[ONLY4]
    assert "# vlan10, v6, PXEClient x64 UEFI, " in told[ONLY6]
    assert f"# behind router {ALTIRIS6}, v6, PXEClient x64 UEFI, " in told[ROUTED]
    hint, nameless = lines[-2:]
    assert hint == (
        "# Nobody told the MACs of these, so no rule can name them: option 79 on their router would tell."
    )
    assert nameless.startswith(
        f"#   DUID {DUID.hex()}, behind router {ALTIRIS6}, PXEClient x64 UEFI, first seen"
    )
    there = unknown(daemon.socket, "--interface", ALTIRIS6).stdout
    assert ROUTED in there
    assert BOTH not in there
    assert DUID.hex() in there

    daemon.reload(CONFIG.replace("rules:\n", f'rules:\n  "{BOTH}": altiris\n'))
    told_now = unknown(daemon.socket).stdout
    assert BOTH not in told_now
    assert ONLY6 in told_now
