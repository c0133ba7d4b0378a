"""Real DHCPv6 clients: ISC dhclient -6, which can ask as firmware does, and dhcpcd.

Both come out of Debian's packages without being installed, and neither changes anything on its host.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab import debian
from tests.lab.clients import PXE_BIOS
from tests.lab.dhcp6 import vendor_class as as_option
from tests.lab.network import Host, LabError
from tests.lab.wire6 import settled

DUMP = """\
#!/bin/sh
[ -n "$PXR_LEASE_FILE" ] && env -0 > "$PXR_LEASE_FILE.$reason"
exit 0
"""
"""What a client calls in the place of its script: writes down what it was told, and does nothing."""

SECONDS = 30.0


@dataclass(frozen=True)
class Lease6:
    """What a client holds at the end."""

    address: str | None
    boot_url: str | None
    server_id: str | None
    """The server's DUID, as the client writes it."""
    variables: Mapping[str, str]
    """Everything the client told its script, by its own names."""


def dhclient6(
    host: Host,
    ifname: str = "eth0",
    *,
    arch: int | None = 0,
    vendor_class: str | None = PXE_BIOS,
    seconds: float = SECONDS,
) -> Lease6 | None:
    """Ask for a lease and return it, or None if there was none within the time; the DUID is made of the MAC.

    With neither `arch` nor `vendor_class` the client asks as an operating system does, for no boot URL.
    """
    lines = ["option dhcp6.vendor-class code 16 = string;"]
    if arch is not None or vendor_class is not None:
        lines.append("also request dhcp6.bootfile-url;")
    if arch is not None:
        lines.append(f"send dhcp6.client-arch-type {arch};")
    if vendor_class is not None:
        lines.append(f"send dhcp6.vendor-class {as_option(vendor_class).hex(':')};")
    settled(host, ifname)
    with tempfile.TemporaryDirectory(prefix="pxr-dhclient-") as directory:
        folder = Path(directory)
        configuration = folder / "conf"
        configuration.write_text("\n".join(lines) + "\n")
        argv = [str(debian.program("isc-dhcp-client", "sbin/dhclient")), "-6", "-1", "-v", "-D", "LL"]
        argv += ["-cf", str(configuration), "-lf", str(folder / "leases"), "-pf", str(folder / "pid")]
        argv += ["-sf", str(_script(folder)), "-e", f"PXR_LEASE_FILE={folder / 'told'}", "-d", ifname]
        told = _told(host, argv, folder, "BOUND6", seconds)
    if told is None:
        return None
    return Lease6(
        told.get("new_ip6_address"),
        told.get("new_dhcp6_bootfile_url"),
        told.get("new_dhcp6_server_id"),
        told,
    )


def dhcpcd6(host: Host, ifname: str = "eth0", *, seconds: float = SECONDS) -> Lease6 | None:
    """Ask for a lease by dhcpcd, as an operating system does; None if there was none within the time."""
    settled(host, ifname)
    with tempfile.TemporaryDirectory(prefix="pxr-dhcpcd-") as directory:
        folder = Path(directory)
        configuration = folder / "conf"
        lines = ["ipv6only", "noipv6rs", "duid ll", "ia_na 1", "option dhcp6_bootfile_url", "env PXR=1"]
        lines.append(f"env PXR_LEASE_FILE={folder / 'told'}")
        configuration.write_text("\n".join(lines) + "\n")
        program = debian.program("dhcpcd-base", "usr/sbin/dhcpcd")
        argv = [str(program), "-6", "--nobackground", "--debug", "--script", str(_script(folder))]
        argv += ["--config", str(configuration), ifname]
        # its state and pid files are at fixed places: give it its own
        hide = "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mkdir /run/dhcpcd /var/lib/dhcpcd"
        told = _told(
            host,
            ["unshare", "-m", "sh", "-c", f'{hide} && exec "$@"', "sh", *argv],
            folder,
            "BOUND6",
            seconds,
        )
    if told is None:
        return None
    return Lease6(
        told.get("new_dhcp6_ia_na1_ia_addr1"),
        told.get("new_dhcp6_bootfile_url"),
        told.get("new_dhcp6_server_id"),
        told,
    )


def _script(folder: Path) -> Path:
    script = folder / "script"
    script.write_text(DUMP)
    script.chmod(0o755)
    return script


def _told(host: Host, argv: list[str], folder: Path, reason: str, seconds: float) -> dict[str, str] | None:
    """Run a client until it has told its script the reason, and return what else it told."""
    dump = folder / f"told.{reason}"
    log = folder / "log"
    with log.open("w") as file:
        client = host.popen(argv, stdout=file, stderr=file)
    deadline = time.monotonic() + seconds
    try:
        while not dump.exists() or not dump.read_bytes():
            if time.monotonic() > deadline:
                return None
            if client.poll() is not None:
                raise LabError(f"{argv[0]} on {host.name} ended by itself:\n{log.read_text()}")
            time.sleep(0.05)
    finally:
        client.terminate()
        client.wait(timeout=10)
    pairs = (item.partition("=") for item in dump.read_text(errors="replace").split("\0") if item)
    return {name: value for name, _, value in pairs if name not in os.environ}
