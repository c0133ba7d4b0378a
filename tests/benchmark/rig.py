"""A network with a relay between what sends and what takes, and what the relay needed for it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.messages import reply_frames, request_frames, write_frames
from tests.benchmark.programs import program
from tests.lab import Host, Lab, LabError
from tests.lab.command import CACHE
from tests.lab.relays import GIADDR, RelayAgent
from tests.lab.topology import ALTIRIS, CLIENT_SUPERNET, RELAY, RELAY_CORE, RIS, Network

RELAY_CPU, OTHERS_CPU = 1, 0
"""The relay has one processor and everybody else the other, where they are kept apart."""

CLIENT_HOST = "clients"
_QUIET_SECONDS = 0.2
_LONGEST_SECONDS = 60.0
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """What became of some messages.

    Ages are microseconds from being sent until the receiver's kernel had them.
    """

    sent: int
    seconds: float
    relayed: int
    again: int
    median_us: int
    p99_us: int
    oldest_us: int
    cpu_seconds: float

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time that the relay spent on a message it relayed."""
        return self.cpu_seconds / self.relayed * 1e6 if self.relayed else float("nan")

    @property
    def lost(self) -> int:
        """Messages that did not come out of the relay."""
        return self.sent - self.relayed


class Rig:
    """One relay in its network. `apart` keeps it on a processor of its own."""

    listens = "udp", 67
    """What the relay has in /proc/net."""

    suffix = ""
    """Of the names of what `sink` takes."""

    def __init__(self, network: Network, client: Host, agent: RelayAgent, *, apart: bool) -> None:
        self.network = network
        self.agent = agent
        self._client = client
        self._apart = apart
        text = network.relay.run(["cat", "/sys/class/net/core/address"]).stdout
        self.relay_mac = bytes.fromhex(text.strip().replace(":", ""))

    @property
    def pid(self) -> int:
        """The relay's process."""
        if self.agent.process is None:
            raise LabError(f"{self.agent.kind} was not started")
        return self.agent.process.pid

    def start(self) -> None:
        """Start the relay and wait until it has port 67 and rests."""
        self.agent.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._has_port():
            if not self.agent.alive or time.monotonic() > deadline:
                raise LabError(f"{self.agent.kind} does not start:\n{self.agent.log[-3000:]}")
            time.sleep(0.05)
        if self._apart:
            os.sched_setaffinity(self.pid, {RELAY_CPU})
        self.rest()

    def _has_port(self) -> bool:
        table, port = self.listens
        rows = self.network.relay.run(["cat", f"/proc/net/{table}"]).stdout.splitlines()[1:]
        return any(row.split()[1].endswith(f":{port:04X}") for row in rows)

    def cpu_seconds(self) -> float:
        """Return the processor time of the relay's process so far (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self, which: str) -> int:
        """Return octets of the relay's memory: VmRSS, resident now, or VmHWM, at most so far (proc(5))."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(which))

    def switches(self) -> int:
        """Return how often the relay's threads gave up the processor or lost it so far (proc(5))."""
        found = Path(f"/proc/{self.pid}/task").glob("*/status")
        lines = [line for status in found for line in status.read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

    def rest(self) -> None:
        """Wait until the relay has nothing to do."""
        before, deadline = -1.0, time.monotonic() + _LONGEST_SECONDS
        while (spent := self.cpu_seconds()) - before > 1e-4:
            if time.monotonic() > deadline:
                raise LabError(f"{self.agent.kind} is busy without end")
            before = spent
            time.sleep(_QUIET_SECONDS)

    def requests(self, frames: Path, rate: int, count: int, at_once: int = 1) -> Run:
        """Have clients send so many requests, so many a second (0: as fast as it goes), and in a call."""
        return self._run(self._client, [f"udp{self.suffix}"], frames, rate, count, at_once)

    def replies(self, frames: Path, rate: int, count: int) -> Run:
        """Have a server send so many replies."""
        return self._run(self.network.ris.host, [f"frames{self.suffix}", "eth0"], frames, rate, count)

    def both(self, requests: Path, replies: Path, rate: int, count: int) -> tuple[Run, Run]:
        """Have clients and a server send at the same time; the processor time of both is in both."""
        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(self.requests, requests, rate, count)
            answered = pool.submit(self.replies, replies, rate, count)
            return asked.result(), answered.result()

    def _run(
        self,
        sender: Host,
        sink: Sequence[str],
        frames: Path,
        rate: int,
        count: int,
        at_once: int = 1,
        taker_host: Host | None = None,
    ) -> Run:
        other = self.network.ris.host if sender is self._client else self._client
        with self._sink(taker_host or other, sink) as taker:
            before = self.cpu_seconds()
            start = time.monotonic()
            numbers = [str(rate), str(count), str(at_once)]
            load = [*self._on_their_cpu(), str(program("load")), "eth0", str(frames), *numbers]
            told = json.loads(sender.run(load, timeout=600).stdout)
            seconds = time.monotonic() - start
            self.rest()
            spent = self.cpu_seconds() - before
            out, _ = taker.communicate(timeout=60)
        found = json.loads(out)
        return Run(
            sent=told["sent"],
            seconds=seconds,
            relayed=found["messages"],
            again=found["again"],
            median_us=found["median_us"],
            p99_us=found["p99_us"],
            oldest_us=found["oldest_us"],
            cpu_seconds=spent,
        )

    @contextmanager
    def _sink(self, host: Host, arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        process = host.popen(
            [*self._on_their_cpu(), str(program("sink")), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise LabError("what takes messages does not start")
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    def _on_their_cpu(self) -> list[str]:
        return ["taskset", "--cpu-list", str(OTHERS_CPU)] if self._apart else []

    def request_file(self, name: str, messages: Sequence[bytes]) -> Path:
        """Write requests for `requests`."""
        return write_frames(frames_file(name), request_frames(messages))

    def reply_file(self, name: str, messages: Sequence[bytes]) -> Path:
        """Write replies for `replies`."""
        return write_frames(frames_file(name), reply_frames(messages, self.relay_mac))


def frames_file(name: str) -> Path:
    """Return where frames are written to."""
    folder = CACHE / "benchmark"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.frames"


class Wires(Network):
    """The standard network without segments: one cable to the clients, one to the host of both servers."""

    def build(self) -> Wires:
        """Make the hosts and their cables."""
        relay, client, server = (self.lab.host(name) for name in (RELAY, CLIENT_HOST, self.ris.host.name))
        relay.connect("vlan10", client, "eth0")
        relay.connect("core", server, "eth0")
        relay.ip(f"address add {GIADDR}/16 dev vlan10", f"address add {RELAY_CORE}/24 dev core")
        relay.sysctl("net.ipv4.ip_forward", 1)
        server.ip(f"address add {RIS}/24 dev eth0", f"address add {ALTIRIS}/24 dev eth0")
        server.route(CLIENT_SUPERNET, RELAY_CORE)
        client.ip("link set eth0 address 02:00:00:ff:ff:ff")
        return self


@contextmanager
def rig(
    kind: type[RelayAgent],
    *,
    apart: bool = True,
    lab: str = "bench",
    wires: type[Wires] = Wires,
    made: type[Rig] = Rig,
) -> Iterator[Rig]:
    """Build a network with a relay, start it, and end it all; two at a time need names of their own."""
    with ExitStack() as stack:
        network = wires(stack.enter_context(Lab(lab))).build()
        agent = kind(network)
        stack.callback(agent.stop)
        found = made(network, network.lab.host(CLIENT_HOST), agent, apart=apart)
        found.start()
        yield found
