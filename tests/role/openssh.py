"""A real OpenSSH server to play against: `sshd -i` for each connection, at no port, and not installed."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.lab import debian
from tests.lab.command import run

CHROOT = Path("/run/sshd")
"""Where sshd shuts up the process that speaks with a stranger; the package has it made at boot."""

SETTINGS = """\
HostKey {key}
AuthorizedKeysFile {key}.pub
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
"""

# The package would make the user that this process is of; here only sshd sees one.
SERVE = """\
#!/bin/sh
exec unshare --mount sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' {passwd} {sshd} -i -f {settings}
"""
SSHD_USER = "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"


def reached_by_ssh(folder: Path, *, enter: str = "") -> dict[str, str]:
    """Return the variables by which Ansible reaches this machine as root; FOLDER keeps the keys.

    With `enter`, the start of a command line that enters a container, that one. What decides on a command's
    stdin is as Ansible has it by default: no pipelining, and each command at a terminal.
    """
    CHROOT.mkdir(mode=0o755, exist_ok=True)
    key, settings, passwd, serve = (folder / name for name in ("key", "sshd_config", "passwd", "serve"))
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    command = debian.program_with_libraries("openssh-server", "usr/sbin/sshd")
    text = SETTINGS.format(key=key)
    session = Path(command[-1]).parents[1] / "lib" / "openssh" / "sshd-session"
    if session.exists():  # since OpenSSH 9.8
        text += f"SshdSessionPath {session}\n"
    if enter:
        text += f'ForceCommand {enter} sh -c "$SSH_ORIGINAL_COMMAND"\n'
    settings.write_text(text)
    users = Path("/etc/passwd").read_text()
    passwd.write_text(users if "\nsshd:" in users else users + SSHD_USER)
    serve.write_text(SERVE.format(passwd=passwd, sshd=shlex.join(command), settings=settings))
    serve.chmod(0o700)
    options = {
        "ProxyCommand": str(serve),
        "IdentityFile": str(key),
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
    }
    words = ["-F", "/dev/null", *(f"-o '{name}={value}'" for name, value in options.items())]
    return {
        "ansible_connection": "ssh",
        "ansible_user": "root",
        "ansible_ssh_common_args": " ".join(words),
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_transfer_method": "piped",  # there need be neither sftp nor scp
    }
