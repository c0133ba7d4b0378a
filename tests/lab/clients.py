"""Real DHCP clients: busybox's udhcpc, which asks as PXE firmware does and tells what it was offered."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import CommandError, run
from tests.lab.network import Host

SCRIPT = Path(__file__).with_name("udhcpc-script")
PXE_BIOS = "PXEClient:Arch:00000:UNDI:003000"
NO_LEASE = 1


@dataclass(frozen=True)
class Lease:
    """What a client holds at the end: its address, and where it would boot from."""

    address: str
    bootfile: str | None
    next_server: str | None
    server_id: str | None
    variables: Mapping[str, str]
    """Everything udhcpc told its script, by busybox's names."""


def udhcpc(
    host: Host,
    ifname: str = "eth0",
    *,
    arch: int | None = 0,
    vendor_class: str | None = PXE_BIOS,
    broadcast: bool = False,
    configure: bool = False,
    tries: int = 3,
    interval: int = 1,
) -> Lease | None:
    """Ask for a lease and return it, or None if nobody answered `tries` times, `interval` seconds apart.

    The interface keeps its addresses unless `configure`. Safe to call from several threads at once.
    """
    argv = ["udhcpc", "-f", "-n", "-q", "-i", ifname, "-s", str(SCRIPT)]
    argv += ["-t", str(tries), "-T", str(interval), "-O", "bootfile", "-O", "tftp"]
    argv += ["-V", vendor_class or ""]
    if arch is not None:
        argv += ["-x", f"0x5d:{arch:04x}"]
    if broadcast:
        argv.append("-B")
    with tempfile.TemporaryDirectory(prefix="pxr-udhcpc-") as directory:
        told = Path(directory, "lease")
        env = {**os.environ, "PXR_LEASE_FILE": str(told)}
        if configure:
            env["PXR_CONFIGURE"] = "1"
        command = ["ip", "netns", "exec", host.namespace, *argv]
        done = run(command, env=env, check=False, timeout=tries * interval * 3 + 10)
        if told.exists():
            return _lease(told.read_bytes())
    if done.returncode != NO_LEASE or "no lease" not in done.stderr + done.stdout:
        raise CommandError(f"udhcpc on {host.name}: exit {done.returncode}\n{done.stderr}")
    return None


def _lease(dump: bytes) -> Lease:
    pairs = (item.partition("=") for item in dump.decode(errors="replace").split("\0") if item)
    variables = {
        name: value for name, _, value in pairs if name not in os.environ and not name.startswith("PXR_")
    }
    return Lease(
        address=variables["ip"],
        bootfile=variables.get("boot_file") or variables.get("bootfile"),
        next_server=variables.get("siaddr"),
        server_id=variables.get("serverid"),
        variables=variables,
    )
