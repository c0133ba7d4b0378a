"""Two relay hosts with real servers and clients, watched by a real Prometheus, while things go wrong.

One of them relays DHCPv6 too.

Each host's metrics are on its loopback; an agent there scrapes them and sends them to the host `mon`, one
of the ways that docs/monitoring.md describes.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from pxerelay.linux import control_client
from tests.lab import Dnsmasq, Host, Lab, Pool, dhcp6, udhcpc
from tests.lab.network import LabError
from tests.lab.topology import CLIENT_SUPERNET, CLIENTS, RELAY_CORE, Network
from tests.lab.topology6 import Network6
from tests.lab.wire import Station
from tests.lab.wire6 import Station6
from tests.monitoring import dashboard
from tests.monitoring.prometheus import PORT, Prometheus
from tests.unit.messages import request

SPARE = "10.20.0.21"
"""Takes over from the server `altiris`."""
BY_DHCPV6 = "default"
"""The client that asks by DHCPv6 too; no rule names it."""
HOSTILE = "02:00:00:00:66:06"
MONITOR = "10.20.0.5"
METRICS = "127.0.0.1:9967"
SCRAPE_SECONDS = 5
_START_SECONDS = 20.0
_PAUSE = 2.0
"""Mean seconds between two boots of a client."""

_CONFIG = """\
metrics: {metrics}
max_requests: 50
{more}servers:
  ris: [10.20.0.10, "2001:db8:20::10"]
  altiris: {{addresses: [10.20.0.20, 10.20.0.21], strategy: failover}}
default: ris
interfaces:
  vlan10: {{}}
{vlan20}rules:
  "02:00:00:10:00:01": altiris
  "02:80:64": altiris
  "52:54:00:12:3?:*": altiris
  "02:00:00:de:ad:01": drop
  "02:00:00:10:00:77": {{server: altiris, owner: imaging, until: 2020-12-31, note: on loan}}
classes:
  - {{name: uefi-x64, arch: [7], server: ris}}
"""
VLAN20 = "  vlan20: {default: altiris}\n"
CENTRAL = f"""\
global: {{scrape_interval: {SCRAPE_SECONDS}s, evaluation_interval: {SCRAPE_SECONDS}s}}
rule_files: [{dashboard.ALERTS}]
"""
AGENT = """\
global: {{scrape_interval: {seconds}s}}
scrape_configs:
  - job_name: pxerelay
    static_configs:
      - targets: ["{metrics}"]
        labels: {{instance: {instance}}}
remote_write:
  - url: http://{monitor}:{port}/api/v1/write
"""


class Relay:
    """The daemon of one relay host, with an agent beside it."""

    def __init__(self, host: Host, folder: Path, vlans: str, more: str = "") -> None:
        self.host = host
        self._text = _CONFIG.format(metrics=METRICS, vlan20=vlans, more=more)
        self._folder = folder
        folder.mkdir(parents=True)
        self._config, self._socket = folder / "pxerelay.yml", folder / "control_client.sock"
        self._config.write_text(self._text)
        self._process: subprocess.Popen[str] | None = None
        self.start()
        filled = AGENT.format(
            seconds=SCRAPE_SECONDS, metrics=METRICS, instance=host.name, monitor=MONITOR, port=PORT
        )
        Prometheus(host, folder / "agent", filled, agent=True)

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        files = ["--config", str(self._config), "--socket", str(self._socket)]
        with (self._folder / "log").open("a") as log:
            argv = [sys.executable, "-m", "pxerelay", "run", *files]
            self._process = self.host.popen(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                control_client.ask(self._socket, "status")
            except control_client.NoDaemonError:
                time.sleep(0.1)
            else:
                return
        raise LabError(f"the daemon does not start:\n{(self._folder / 'log').read_text()}")

    def kill(self) -> None:
        """End the daemon as the out-of-memory killer does."""
        assert self._process
        self._process.kill()
        self._process.wait(timeout=5)

    def mistake(self) -> None:
        """Have the daemon load a file that it must refuse."""
        self._config.write_text(self._text + "defalt: ris\n")
        control_client.ask(self._socket, "reload")

    def restart(self) -> None:
        """Start it again, with the configuration that it had."""
        self._config.write_text(self._text)
        self.start()


class Event(NamedTuple):
    """Something that happens at a part of the whole time, 0 to 1."""

    at: float
    what: str
    do: Callable[[], object]


class Scene:
    """The running lab."""

    def __init__(self, lab: Lab) -> None:
        self.network = Network(lab, branches=1).build()
        monitor = lab.host("mon")
        monitor.attach(self.network.segments["core"], "core", addresses=[f"{MONITOR}/24"])
        for client in CLIENTS:
            self.network.add_client(client.name, client.mac)
        (branch,) = self.network.branches
        for number in range(1, 4):
            self.network.add_client(f"room{number}", f"02:00:00:20:00:0{number}", "vlan20")
            self.network.add_client(f"branch{number}", f"02:80:64:02:00:0{number}", branch.segment)
        self._hostile = self.network.add_client("hostile", HOSTILE)
        spare = lab.host("boot3")
        spare.attach(self.network.segments["core"], "eth0", addresses=[f"{SPARE}/24"])
        spare.route(CLIENT_SUPERNET, RELAY_CORE)
        spare.route(str(branch.subnet), branch.core)
        subnets = [pool.subnet for pool in self.network.ris.pools]
        pools = [Pool(subnet, str(subnet[200]), str(subnet[239])) for subnet in subnets]
        file = self.network.altiris.bootfile
        for server in (*self.network.servers, Dnsmasq(spare, address=SPARE, pools=pools, bootfile=file)):
            server.start()
        Network6(self.network).build().ris.start()
        folder = lab.state_dir / "monitoring"
        self.prometheus = Prometheus(monitor, folder / "central", CENTRAL)
        self.relays = (
            Relay(self.network.relay, folder / "relay1", VLAN20, "dhcpv6: true\n"),
            Relay(lab.host(branch.relay), folder / "relay2", ""),
        )
        self._over = threading.Event()

    def play(self, seconds: float, events: Sequence[Event], say: Callable[[str], None] = print) -> None:
        """Let clients boot for a time, and let events happen in it."""
        names = [client.name for client in CLIENTS]
        names += [f"{kind}{number}" for kind in ("room", "branch") for number in range(1, 4)]
        threads = [threading.Thread(target=self._boot, args=[name]) for name in names]
        threads.append(threading.Thread(target=self._boot6))
        start = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            for event in events:
                time.sleep(max(0.0, start + event.at * seconds - time.monotonic()))
                say(f"{time.monotonic() - start:6.1f} s  {event.what}")
                event.do()
            time.sleep(max(0.0, start + seconds - time.monotonic()))
        finally:
            self._over.set()
            for thread in threads:
                thread.join(timeout=60)

    def flood(self, seconds: float) -> None:
        """Be a client that asks without end, and one that pretends to be the relay."""
        deadline = time.monotonic() + seconds
        with closing(Station(self._hostile)) as station:
            while time.monotonic() < deadline:
                for _ in range(20):
                    discover = request(chaddr=HOSTILE)
                    discover[4:8] = random.randbytes(4)  # the xid (RFC 2131, 2)
                    station.send(discover)
                station.send(request(chaddr=HOSTILE, giaddr="10.10.10.1"))
                time.sleep(0.1)

    def _boot(self, name: str) -> None:
        dice = random.Random(name)
        host = self.network.client(name)
        while not self._over.wait(dice.expovariate(1 / _PAUSE)):
            udhcpc(host, arch=dice.choice((0, 0, 7, None)), tries=2)

    def _boot6(self) -> None:
        """Be a client that looks for servers by DHCPv6 again and again."""
        dice = random.Random("DHCPv6")
        with closing(Station6(self.network.client(BY_DHCPV6))) as station:
            duid = dhcp6.duid_ll(station.mac)
            while not self._over.wait(dice.expovariate(1 / _PAUSE)):
                station.send(dhcp6.solicit(duid, xid=dice.getrandbits(24)))
                next(station.answers(_PAUSE), None)


@contextmanager
def scene(name: str) -> Iterator[Scene]:
    """Build the lab, and take it down again."""
    with Lab(name) as lab:
        yield Scene(lab)
    shutil.rmtree(lab.state_dir)  # what Prometheus keeps; after a failure it stays, with the logs


def night(scene: Scene, seconds: float) -> list[Event]:
    """Return what goes wrong in one night."""
    first, second = scene.relays
    altiris = scene.network.altiris
    return [
        Event(0.30, "the server altiris stops", altiris.stop),
        Event(0.42, "relay2 is told a configuration that it refuses", second.mistake),
        Event(0.48, "relay1 loses vlan20", lambda: first.host.ip("link set vlan20 down")),
        Event(0.52, "the server altiris is back", altiris.start),
        Event(0.54, "relay1 is told a configuration that it refuses", first.mistake),
        Event(0.62, "the daemon of relay2 is killed", second.kill),
        Event(0.70, "and started again, with the configuration it had", second.restart),
        Event(0.80, "a client of vlan10 floods", lambda: scene.flood(seconds * 0.06)),
    ]
