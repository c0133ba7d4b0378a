"""What the browser looks at: a relay, a server that answers, clients that ask, and the page."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.lab import Lab
from tests.lab.clients import udhcpc
from tests.lab.daemon import Daemon
from tests.lab.page import Page
from tests.lab.topology import Network
from tests.lab.wire import Station
from tests.unit.messages import request

CONFIG = """\
max_requests: 0
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
  vlan30: {}
accept_relayed_from: [10.30.0.0/16]
rules:
  "02:00:00:10:00:01": {server: altiris, owner: lab team, until: "2099-12-31", note: thin client of room 12}
  "02:80:64": altiris
  "52:54:00:12:3?:*": altiris
  "02:00:00:de:ad:01": drop
"""

BOOTING, LISTED, SILENT, HOSTILE = (
    *("02:00:00:00:00:01", "02:00:00:10:00:01"),
    *("02:00:00:00:77:01", "02:00:00:00:66:01"),
)

OTHER = "02:00:00:00:20:01"
"""A client of vlan20."""

HOSTILE_CLASS = (
    b"PXEClient<img src=x onerror=alert(1)><script>document.title='broken'</script>\xff\x1b]0;x\x07"
)


class Scene:
    """A daemon and its page; `boot` has a client boot, `hear` has messages of others come."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.client = network.add_client("booting", BOOTING)
        self.other = network.add_client("other", OTHER, "vlan20")
        network.ris.start()
        network.altiris.start()
        self.daemon = Daemon(network, folder, CONFIG, options=())
        self.page = Page(self.daemon.socket, folder)
        self.page.wait_for(
            lambda: self.page.json(f"/api/v1/search?q={BOOTING}")["client"]["listening_since"] is not None
        )

    def boot(self) -> None:
        """Have the client ask as firmware does, and a real server answer."""
        if udhcpc(self.client) is None:
            raise RuntimeError("nobody answered")

    def hear(self) -> None:
        """Have clients ask that nobody answers, one of which says what it should not."""
        with contextlib.closing(Station(self.client)) as station:
            heard = [request(chaddr=HOSTILE, vendor=HOSTILE_CLASS, arch=None), request(chaddr=LISTED)]
            for number in range(12):
                heard.append(request(chaddr=f"02:00:00:00:55:{number:02x}", arch=7))
                heard.append(request(chaddr=f"02:80:64:00:00:{number:02x}"))
            for number, message in enumerate(heard):
                message[4:8] = number.to_bytes(4, "big")  # xid: each is a transaction of its own
                station.send(message)
        with contextlib.closing(Station(self.other)) as station:
            for number in range(5):
                message = request(chaddr=f"02:00:00:00:20:{number:02x}", arch=7)
                message[4:8] = (100 + number).to_bytes(4, "big")
                station.send(message)

    @contextlib.contextmanager
    def booting(self) -> Iterator[None]:
        """Have the client boot again and again meanwhile."""
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                udhcpc(self.client)
                over.wait(1)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)

    def close(self) -> None:
        """End what it started."""
        self.page.stop()
        self.daemon.stop()
        self.network.ris.stop()
        self.network.altiris.stop()


@contextlib.contextmanager
def scene(name: str, folder: Path, prepare: Callable[[Scene], None] | None = None) -> Iterator[Scene]:
    """Make a scene, with clients that were heard already."""
    with Lab(name) as lab:
        made = Scene(Network(lab).build(), folder)
        try:
            made.boot()
            made.hear()
            if prepare:
                prepare(made)
            yield made
        finally:
            made.close()
