"""FRR on a host of the lab, as a router that speaks OSPF for both families."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab import Host, debian

WAIT = 60.0
"""Seconds in which its programs end."""

_LISTS = ("passwd", "group")
_USERS = {"passwd": "frr:x:991:991::/:/bin/false\n", "group": "frr:x:991:\nfrrvty:x:992:root\n"}
"""FRR looks a user and a group up that only its installed package makes."""

_END = b"\0\0\0"
"""What an answer ends with, and one octet that tells how the command went (FRR's lib/vty.c)."""


class OspfRouter:
    """Zebra and the programs of OSPF on one interface of a host, with a hello each second, and BFD."""

    def __init__(self, host: Host, folder: Path, interface: str, router_id: str, area: str) -> None:
        folder.mkdir()
        self._host, self._folder = host, folder
        for name in _LISTS:
            (folder / name).write_text(Path("/etc", name).read_text() + _USERS[name])
        times = ("hello-interval 1", "dead-interval 4", "bfd")
        self._programs = [
            self._start("zebra", ""),
            self._start("bfdd", ""),
            self._start(
                "ospfd",
                f"interface {interface}\n ip ospf area {area}\n"
                + "".join(f" ip ospf {one}\n" for one in times)
                + f"router ospf\n ospf router-id {router_id}\n",
            ),
            self._start(
                "ospf6d",
                f"interface {interface}\n ipv6 ospf6 area {area}\n"
                + "".join(f" ipv6 ospf6 {one}\n" for one in times)
                + f"router ospf6\n ospf6 router-id {router_id}\n",
            ),
        ]

    def _start(self, name: str, config: str) -> subprocess.Popen[str]:
        (self._folder / f"{name}.conf").write_text(config)
        program = debian.program_with_libraries("frr", f"usr/lib/frr/{name}")
        binds = [f"mount --bind {self._folder}/{one} /etc/{one}" for one in _LISTS]
        files = {"--vty_socket": "", "-z": "zebra.api", "-i": f"{name}.pid", "-f": f"{name}.conf"}
        options = ["-u", "root", "-g", "root"]
        options += [word for option, file in files.items() for word in (option, str(self._folder / file))]
        if name == "bfdd":
            options += ["--bfdctl", str(self._folder / "bfdd.sock")]
        command = ["unshare", "--mount", "sh", "-c", " && ".join([*binds, 'exec "$@"']), name]
        with (self._folder / f"{name}.log").open("w") as log:
            return self._host.popen([*command, *program, *options], stdout=log, stderr=log)

    def ask(self, program: str, question: str) -> str:
        """Return what a program says, as FRR's vtysh would ask it; OSError while it does not run."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WAIT)
            connection.connect(str(self._folder / f"{program}.vty"))
            for command in ("enable", question):
                connection.sendall(command.encode() + b"\0")
                answer = b""
                while answer[-4:-1] != _END:
                    part = connection.recv(65536)
                    if not part:
                        raise ConnectionResetError(f"{program} hung up")
                    answer += part
        return answer[:-4].decode()

    def metrics(self, addresses: Sequence[str]) -> list[int | None]:
        """Return by which metrics it would send to addresses of one host, None where it knows no way."""
        found: list[int | None] = []
        for address in addresses:
            family, bits = ("ipv6", 128) if ":" in address else ("ip", 32)
            routes = json.loads(self.ask("zebra", f"show {family} route {address}/{bits} json") or "{}")
            chosen = [one for one in routes.get(f"{address}/{bits}", ()) if one.get("selected")]
            found.append(chosen[0]["metric"] if chosen else None)
        return found

    def watched(self) -> list[str]:
        """Return how BFD finds the ways to neighbours, `up` or else, of each family."""
        return [peer["status"] for peer in json.loads(self.ask("bfdd", "show bfd peers json") or "[]")]

    def stop(self) -> None:
        """End all of it."""
        for process in reversed(self._programs):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=WAIT)
