"""What somebody who broke into the daemon could do; runs in the unit's sandbox, in the daemon's place.

Prints, as JSON, for each attempt whether it succeeded, or with which error it did not.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, CLONE_NEWUSER, CLONE_NEWNET = 16, 0x10000000, 0x40000000


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def _write(path: str) -> None:
    Path(path).write_text("")


def _bind(kind: socket.SocketKind, port: int) -> None:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))


def _bind6(port: int) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", port))


def _send6(address: str) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        interface = next(index for index, name in socket.if_nameindex() if name.startswith("vlan"))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface)
        sock.sendto(b"", (address, 9))


def _send(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sock.sendto(b"", (address, 9))


def _other_processes() -> None:
    if not Path("/proc/1").exists():
        raise FileNotFoundError(errno.ENOENT, "no other process is to be seen")


def _tell(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"MESSAGE=from the sandbox\nPRIORITY=7\n", path)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "read the configuration": lambda: Path("/etc/pxerelay/pxerelay.yml").read_text(),
    "start the interpreter": lambda: _run(os.path.realpath("/proc/self/exe"), "-I", "-c", ""),
    "remember that it is drained": lambda: _write(f"{os.environ['STATE_DIRECTORY']}/tried.drained"),
    "make a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
    "send to a server": lambda: _send("10.20.0.10"),
    "read the kernel's counters": lambda: (
        Path("/proc/self/net/snmp").read_text() and Path("/proc/stat").read_text()
    ),
    "tell the journal": lambda: _tell("/run/systemd/journal/socket"),
    "listen at a Unix socket": lambda: socket.socket(socket.AF_UNIX).bind("/run/pxerelay-tried/socket"),
    "start a shell": lambda: _run("/bin/sh", "-c", ""),
    "start a program through the loader of libraries": lambda: _run(*_LOADER, "/bin/true"),
    "write the configuration": lambda: _write("/etc/pxerelay/pxerelay.yml"),
    "write to the installation": lambda: _write("/opt/pxerelay/x"),
    "run what it wrote": lambda: _write_and_run("/run/pxerelay-tried/x"),
    "read /etc/shadow": lambda: Path("/etc/shadow").read_text(),
    "read /root": lambda: list(Path("/root").iterdir()),
    "read /srv": lambda: list(Path("/srv").iterdir()),
    "see other processes": _other_processes,
    "set a kernel parameter": lambda: _write("/proc/sys/net/ipv4/ip_forward"),
    "speak IPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "send to a server of DHCPv6": lambda: _send6("2001:db8:20::10"),
    "send to a multicast group of IPv6": lambda: _send6("ff02::fb"),
    "send to itself by IPv6": lambda: _send6("::1"),
    "listen on another port of UDP by IPv6": lambda: _bind6(546),
    "speak Bluetooth": lambda: socket.socket(31, socket.SOCK_RAW, 1),
    "send to a multicast group": lambda: _send("224.0.0.251"),
    "listen on TCP": lambda: _bind(socket.SOCK_STREAM, 8080),
    "listen on another port of UDP": lambda: _bind(socket.SOCK_DGRAM, 69),
    "make memory that can be written and run": lambda: mmap.mmap(-1, 4096, prot=7),
    "make a namespace": lambda: _call("unshare", CLONE_NEWUSER | CLONE_NEWNET),
    "mount": lambda: _call("mount", b"none", b"/run/pxerelay-tried", b"tmpfs", 0, None),
    "trace a process": lambda: _call("ptrace", PTRACE_ATTACH, os.getppid(), 0, 0),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "become root": lambda: os.setuid(0),
    "change a file's owner": lambda: os.chown("/run/pxerelay-tried", 0, 0),
    "make a file setuid": lambda: Path("/run/pxerelay-tried").chmod(0o4755),
    "make a link": lambda: Path("/run/pxerelay-tried/link").symlink_to("/etc"),
    "raise its priority": lambda: os.nice(-1),
    "use io_uring": lambda: _call("syscall", 425, 1, ctypes.create_string_buffer(120)),
    "load a BPF program": lambda: _call("syscall", 321, 0, ctypes.create_string_buffer(64), 64),
}

_LOADER = [
    path for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if Path(path).exists()
]


def _write_and_run(path: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o700), "w") as file:
        file.write("#!/bin/sh\n")
    _run(path)


def _tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except subprocess.CalledProcessError as error:
        return f"exit {error.returncode}"
    return "done"


print(json.dumps({name: _tried(attempt) for name, attempt in ATTEMPTS.items()}))
