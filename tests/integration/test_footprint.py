"""What a running daemon has imported: what it does not need takes memory on every relay host."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import BASE
from tests.lab.daemon import Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import reply, request

Start = Callable[..., Daemon]

TELLING = """\
import signal, sys
def tell(number, frame):
    with open(sys.argv[sys.argv.index("--config") + 1] + ".modules", "w") as file:
        file.write("\\n".join(sys.modules))
signal.signal(signal.SIGUSR1, tell)
from pxerelay import cli
sys.exit(cli.main())
"""
"""The daemon, which writes down what it has imported when it gets a signal."""

OWN = """
cli
commands commands.common commands.run
config config.data config.findings config.loaded config.places
daemon daemon.active_config daemon.any_survey daemon.control daemon.daemon daemon.export daemon.flow
daemon.flow4 daemon.handlers daemon.health_log daemon.healthcheck daemon.healthcheck4 daemon.hearing
daemon.loader daemon.loader_process daemon.losses daemon.own_health daemon.own_requests daemon.port_log
daemon.prober daemon.probes daemon.server_names daemon.slices daemon.slots daemon.stats daemon.stream
daemon.survey daemon.trace_stream daemon.traffic daemon.traffic4 daemon.warnings
linux linux.acceptor linux.attributes linux.burst_meter linux.clock linux.control_client linux.drain_mark
linux.fields linux.inbox linux.interfaces linux.journal linux.lean linux.link_table linux.listener
linux.localsocket linux.log linux.memory linux.mmsg linux.names linux.netlink linux.notify linux.outbox
linux.peers linux.rtnetlink linux.sockets linux.streams linux.tasks linux.vrfs linux.ways
policy policy.addresses6 policy.days policy.links policy.mac_table policy.model policy.pools
policy.port_table policy.ports policy.resolved policy.rules policy.servers policy.sticky policy.ways
relay relay.account relay.any_fast_path relay.any_relay relay.askers relay.choosing relay.client_groups
relay.counters relay.decision relay.fair_share relay.fast_path relay.health relay.ledger relay.network
relay.outcome relay.own_health relay.pipeline relay.questions relay.rate_limit relay.recent relay.relay
relay.survey_request relay.trace relay.trace_view relay.transactions relay.unknown relay.words
wire wire.agentinfo wire.arch wire.batch wire.bootserver wire.client wire.facts wire.frames wire.globs
wire.mac wire.option_fingerprint wire.packet wire.probe wire.text
"""
"""Modules of pxerelay."""

OTHERS = """
abc argparse array ast asyncio atexit base64 bisect builtins codecs collections concurrent
contextlib contextvars copy copyreg ctypes dataclasses datetime dis encodings enum errno fcntl fnmatch
functools gc genericpath gettext heapq importlib inspect io ipaddress itertools json keyword linecache
locale logging marshal math mmap ntpath opcode operator os pathlib pickle pkgutil posix posixpath queue re
reprlib runpy select selectors signal site socket sre_compile sre_constants sre_parse stat string struct
subprocess sys textwrap threading time token tokenize traceback types typing urllib warnings weakref zipimport
"""
"""What of Python's library the daemon may have, by the first part of the name; names with an underscore in
front are parts of these."""


@pytest.mark.parametrize("debug", [False, True])
def test_a_daemon_has_imported_what_it_needs_and_no_more(
    start: Start, network: Network, station: Station, server: FakeServer, debug: bool
) -> None:
    daemon = start(command=(sys.executable, "-c", TELLING), options=("--debug",) if debug else ())
    station.send(request())
    assert server.receive() is not None
    server.send(reply(), "10.10.10.1")
    network.relay.ip("link set vlan20 down", "link set vlan20 up")
    assert daemon.reload(BASE + "  02:00:00:00:00:02: drop\n")["rules"] == 5
    assert daemon.status()["counters"]["requests"] == 1

    os.kill(daemon.process.pid, signal.SIGUSR1)
    told = Path(f"{daemon.config}.modules")
    daemon.wait_for(lambda: told.exists() and bool(told.read_text()))
    modules = set(told.read_text().split())
    own = {name.partition(".")[2] for name in modules if name.startswith("pxerelay.")}
    assert own == set(OWN.split())
    others = {name.partition(".")[0] for name in modules} - {"pxerelay"}
    assert others.isdisjoint({"_hashlib", "_ssl", "_yaml"})
    assert {name for name in others if not name.startswith("_")} <= set(OTHERS.split())
