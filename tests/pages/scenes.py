"""The scenes that pages name, each with what its commands find."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial

from tests.lab import Host, debian, udhcpc
from tests.lab.bird import Bird
from tests.lab.clients6 import dhclient6
from tests.lab.command import REPOSITORY, ip_batch, run
from tests.lab.topology import ALTIRIS, CLIENT_SUPERNET, CLIENT_VLANS, RELAY_CORE, RIS
from tests.lab.topology6 import Network6
from tests.lab.wire6 import settled
from tests.pages.stage import SECONDS, Stage
from tests.role.anycast import rendered
from tests.role.plays import COLLECTIONS, ROLE

CAPTURES = REPOSITORY / "tests/captures"
MAPPING = "/etc/pxerelay/pxerelay.yml"
ROUTER = "10.20.0.254"
LISTED, UNLISTED = "02:00:00:10:00:01", "02:00:00:10:00:99"

RELAY = """\
servers:
  ris: 10.20.0.10
  altiris: 10.20.0.20

default: ris

interfaces:
  vlan10: {}
  vlan20: {default: altiris}
rules:
  02:00:00:10:00:01: altiris
"""

RELAY6 = (
    RELAY.replace("10.20.0.10", "[10.20.0.10, 2001:db8:20::10]")
    .replace("10.20.0.20", "[10.20.0.20, 2001:db8:20::20]")
    .replace("default: ris\n\n", "default: ris\ndhcpv6: true\n")
)

BOOTED, BOOTED6 = "02:00:00:b1:05:0a", "02:80:64:0e:f1:6b"
"""Machines that booted when tests/captures were made."""

OLD = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}

default: ris

interfaces:
  vlan10: {}
  vlan20: {}
rules:
  00:80:64: altiris
  00:80:64:00:00:01: ris
  02:00:00:10:00:01: altiris
"""

NEW = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}

default: ris

interfaces:
  vlan10: {}
  vlan20: {default: altiris}
rules:
  00:80:64: drop
  02:00:00:10:00:01: ris
"""

WDS = """\
servers: {ris: [10.20.0.10, "2001:db8:20::10"], wds: 10.20.0.30}
default: ris
dhcpv6: true
interfaces: {vlan10: {}}
rules:
  02:00:00:10:00:01: wds
  02:00:00:10:00:02: wds
"""

CAPTURED6 = f"""\
servers:
  ris: [10.20.0.10, 2001:db8:20::10]
  altiris: [10.20.0.20, 2001:db8:20::20]
default: ris
dhcpv6: true
interfaces:
  vlan10: {{link_address: 2001:db8:10:10::1}}
rules:
  {BOOTED6}: altiris
"""

POOL = """\
servers:
  wds:
    addresses: [10.20.0.10, 10.20.0.11]
    strategy: failover

interfaces:
  vlan10: {}
default: wds
"""

HOSTS = """\
# who does not boot from RIS
02:00:00:10:00:01 10.20.0.20  # reception
02:00:00:10:00:02 10.20.0.20
02:00:00:10:00:03              # moved, address to come
"""

PAIR = """\
servers: {ris: 10.20.0.10}
default: ris
interfaces:
  vlan10: {giaddr: 10.10.10.1}
  vlan20: {giaddr: 10.10.20.1}
"""

WRONG = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
interfaces: {vlan10: {}}
default: rsi

rules:
  # thin clients
  00:11:22:33:44:55: altiris
  # spelled as the switch does
  0011.2233.4455: ris
"""

OF_ROUTER = f"""\
router id {ROUTER};
protocol device {{ }}
protocol bgp {{
    local {ROUTER} as 65000;
    neighbor {RELAY_CORE} as 65010;
    ipv4 {{ import all; export none; }};
}}
"""

Prepare = Callable[[Stage], None]
SCENES: dict[str, Prepare] = {}


def scene(prepare: Prepare) -> Prepare:
    """Have a scene go by the name of its function."""
    SCENES[prepare.__name__.replace("_", "-")] = prepare
    return prepare


@scene
def files(_stage: Stage) -> None:
    """Have nothing but what the page writes."""


@scene
def example(stage: Stage) -> None:
    """Have the mapping that README begins with."""
    found = re.search(r"```yaml\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.DOTALL)
    assert found
    stage.write(MAPPING, found[1])


@scene
def wrong(stage: Stage) -> None:
    """Have a mapping with two mistakes."""
    stage.write(MAPPING, WRONG)


@scene
def relay(stage: Stage) -> None:
    """Have a relay in the lab, two servers, and a client that may boot."""
    network = stage.build()
    stage.write(MAPPING, RELAY)
    stage.with_daemon = True
    client = network.add_client("listed", LISTED)
    stage.actions["boot"] = lambda: _boots(client)


@scene
def relay6(stage: Stage) -> None:
    """Have a relay of both families, and a client that may boot over IPv6."""
    network = stage.build()
    network6 = Network6(network).build()
    for interface in ("vlan10", "vlan20", "core"):
        settled(network.relay, interface)
    network6.altiris.start()
    stage.write(MAPPING, RELAY6)
    stage.with_daemon = True
    client = network.add_client("listed", LISTED)
    debian.program("isc-dhcp-client", "sbin/dhclient")  # fetched now, and not while a trace is running
    stage.actions["boot6"] = lambda: _boots6(client)


@scene
def stranger(stage: Stage) -> None:
    """Have the same, and a client that no rule names has booted."""
    relay(stage)
    assert stage.network
    client = stage.network.add_client("unlisted", UNLISTED)
    stage.run("pxerelay status")
    _boots(client)


@scene
def change(stage: Stage) -> None:
    """Have a repository with a mapping in its branch main, and a change of it that is not committed."""
    _changed(stage, OLD, NEW)


@scene
def change6(stage: Stage) -> None:
    """Have the same, where a server is given an IPv6 address."""
    _changed(stage, WDS, WDS.replace("wds: 10.20.0.30", 'wds: [10.20.0.30, "2001:db8:20::30"]'))


def _changed(stage: Stage, old: str, new: str) -> None:
    stage.write("pxerelay.yml", old)
    stage.shell("git init --quiet --initial-branch main && git add pxerelay.yml")
    stage.shell("git -c user.name=a -c user.email=a@example.net commit --quiet --message mapping")
    stage.write("pxerelay.yml", new)


@scene
def fleet(stage: Stage) -> None:
    """Have a repository with the inventory of three relay hosts, of which two get another default."""
    variables = {
        "pxerelay_servers": {"ris": "10.20.0.10", "wds": "10.20.0.30"},
        "pxerelay_interfaces": {"vlan10": {}},
    }
    hosts = {"relay-n1": {}, "relay-n2": {}, "relay-s1": {"pxerelay_default": "wds"}}
    group = {"pxerelay": {"hosts": hosts, "vars": variables}}
    stage.write("ansible.cfg", f"[defaults]\ncollections_path = {COLLECTIONS}\n")
    stage.write("inventories/mine/hosts.yml", json.dumps(group))
    stage.write("inventories/mine/group_vars/pxerelay.yml", "pxerelay_default: ris\n")
    stage.shell("git init --quiet --initial-branch main && git add ansible.cfg inventories")
    stage.shell("git -c user.name=a -c user.email=a@example.net commit --quiet --message inventory")
    stage.write("inventories/mine/group_vars/pxerelay.yml", "pxerelay_default: wds\n")


@scene
def capture(stage: Stage) -> None:
    """Have a capture of firmware that booted, the mapping of then, and one that has no rule for it."""
    shutil.copy(CAPTURES / "full-servers-clients.pcap", stage.work / "boot.pcap")
    stage.write(MAPPING, RELAY.replace(LISTED, BOOTED).replace("  vlan20: {default: altiris}\n", ""))
    stage.write("new.yml", RELAY.partition("rules:")[0])


@scene
def capture6(stage: Stage) -> None:
    """Have a capture of firmware that booted over IPv6, and the mapping of then."""
    shutil.copy(CAPTURES / "ipv6/one-mapping-clients.pcap", stage.work / "boot6.pcap")
    stage.write(MAPPING, CAPTURED6)


@scene
def hosts_file(stage: Stage) -> None:
    """Have a hosts file of dhcrelay, one line of which has no address."""
    stage.write("/etc/dhcrelay.hosts", HOSTS)


@scene
def imported(stage: Stage) -> None:
    """Have that imported, without the line that has no address."""
    stage.write("/etc/dhcrelay.hosts", "".join(HOSTS.splitlines(keepends=True)[:-1]))
    stage.shell(
        "pxerelay import --server ris=10.20.0.10 --server altiris=10.20.0.20 --dhcrelay --"
        " -i vlan10 -i core -c 10 -a -ch /etc/dhcrelay.hosts 10.20.0.10 > pxerelay.yml"
    )


@scene
def pool(stage: Stage) -> None:
    """Have a mapping with two servers, of which the second stands by."""
    stage.write(MAPPING, POOL)


@scene
def pool_down(stage: Stage) -> None:
    """Have a relay that asks the two, and neither is there."""
    network = stage.build()
    network.ris.stop()
    stage.write(MAPPING, _probed(POOL))
    stage.with_daemon = True
    stage.until("pxerelay healthy", lambda printed: "pool-down" in "".join(printed))


@scene
def pool_returns(stage: Stage) -> None:
    """Have a relay with two servers, of which the first was away for a while, and clients noticed."""
    network = stage.build()
    client = network.add_client("listed", LISTED)
    stage.write(MAPPING, POOL.replace("10.20.0.11", ALTIRIS))
    stage.with_daemon = stage.in_journal = True
    stage.run("pxerelay status")
    journal = "journalctl --unit pxerelay --output cat"
    # A machine that stands still for seconds may have it down before it was doubted: then once more.
    for times in range(1, 4):
        network.ris.stop()
        stage.until(journal, partial(_told_or_boots, client, f"{RIS} is down: ", times))
        network.ris.start()
        stage.until(journal, partial(_told_or_boots, client, f"{RIS} is up; ", times))
        if re.search(r"10\.20\.0\.10 does not answer.* is down: .* is up; ", " ".join(stage.run(journal))):
            return


def _told_or_boots(client: Host, told: str, times: int, printed: list[str]) -> bool:
    """Whether it was told so many times; else let the client boot, or try to."""
    if sum(told in line for line in printed) >= times:
        return True
    udhcpc(client, tries=3, interval=5)
    return False


@scene
def announced(stage: Stage) -> None:
    """Have a relay with silent servers, the role's BIRD and checker for it, and a router that hears them."""
    pool_down(stage)
    network = stage.network
    assert network
    folder = stage.work.with_name("anycast")
    folder.mkdir()
    peers = [{"address": ROUTER, "asn": 65000}]
    text = rendered(folder, {"address": "192.0.2.67", "asn": 65010, "peers": peers})["anycast.conf"]
    host = network.lab.host("router")
    host.attach(network.segments["core"], "eth0", addresses=[f"{ROUTER}/24"])
    router = Bird(host, folder / "router", OF_ROUTER)
    stage.at_end(router.stop)
    bird = Bird(network.relay, folder / "relay", text)
    stage.at_end(bird.stop)
    client = debian.program("bird2", "usr/sbin/birdcl")
    stage.program("birdcl", f'shift 2 && exec {client} -s {bird.socket} "$@"  # -s PATH, which is of a unit')
    stage.environment |= {"BIRDCL": str(client), "BIRD_SOCKET": str(bird.socket)}
    stage.until("birdcl -s x show protocols", lambda printed: "Established" in "".join(printed))
    stage.unit("pxerelay-anycast-check", f"sh {ROLE / 'files/anycast.sh'} check pxerelay 30 1 10")
    told = "journalctl --unit pxerelay-anycast-check --output cat"
    stage.until(told, lambda printed: "announced: degraded" in "".join(printed))


def _probed(mapping: str) -> str:
    return mapping.replace("strategy: failover\n", "strategy: failover\n    probe: {every: 1, timeout: 1}\n")


@scene
def pair_active(stage: Stage) -> None:
    """Have the one of two relays that has the addresses of both."""
    stage.build()
    stage.write(MAPPING, PAIR)
    stage.with_daemon = True


@scene
def pair_standby(stage: Stage) -> None:
    """Have the other one, which has only its own."""
    network = stage.build()
    for vlan, subnet in CLIENT_VLANS.items():
        network.relay.ip(
            f"address add {subnet[3]}/{subnet.prefixlen} dev {vlan}",
            f"address del {subnet[1]}/{subnet.prefixlen} dev {vlan}",
            f"address replace {subnet[3]}/{subnet.prefixlen} dev {vlan}",
        )
    stage.write(MAPPING, PAIR)
    stage.with_daemon = True


@scene
def two_faults(stage: Stage) -> None:
    """Have a VLAN without a carrier, and a server that answers from another address of its own."""
    network = stage.build()
    network.altiris.stop()
    device = network.altiris.interface
    network.altiris.host.ip(
        f"address del {ALTIRIS}/24 dev {device}",
        f"address add 10.20.0.21/24 dev {device}",
        f"address add {ALTIRIS}/24 dev {device}",
        f"route replace {CLIENT_SUPERNET} via {RELAY_CORE}",
    )
    network.altiris.start()
    switch = network.lab.namespace("net")
    told = run(["ip", "-n", switch, "-json", "link", "show", "master", "vlan20"]).stdout
    ip_batch([f"link set {port['ifname']} down" for port in json.loads(told)], switch)
    stage.write(MAPPING, RELAY)
    stage.with_daemon = True


def _boots(client: Host) -> None:
    # A page shows no second try, and on a loaded machine an answer may take a while.
    assert udhcpc(client, tries=6, interval=5) is not None, "no server answered the client"


def _boots6(client: Host) -> None:
    lease = dhclient6(client, arch=7, vendor_class="PXEClient:Arch:00007:UNDI:003000", seconds=SECONDS)
    assert lease is not None, "no server answered the client"
