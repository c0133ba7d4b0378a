"""What runs code of a revision: no network, no home, no environment, nothing to write but one folder.

To render an inventory is to run it: its lookups, plugins, scripts and `ansible.cfg` are programs. Whoever may
propose a change would run them as the reviewer. So bubblewrap (bwrap(1)) shows them the programs of this
system, Ansible, the collections that are installed here and the checkout, all to be read only. They could
as well compute the file themselves; what they can't is read or reach anything else.
"""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_HOME = "/tmp/home"  # noqa: S108  # in a /tmp of its own

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

_SETTINGS = (
    "/etc/alternatives",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
)
"""What programs ask of this system; none of it is secret."""

_PLAY = "import sys; sys.path[:] = sys.path[1:]; from ansible.cli.playbook import main; sys.exit(main())"
"""Ansible's own entry point, with no modules of the current folder, which is the checkout."""

_ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path[1:]]))"

_COLLECTIONS = "ansible_collections"
"""The folder below a collections path that has collections, and whose name no other folder has by chance."""

_INSTALLED = "/usr/share/ansible/collections"


class SandboxError(Exception):
    """There can be no sandbox; the message says why, and what else would do."""


@dataclass(frozen=True)
class Ansible:
    """The Ansible of this machine: its Python, and the folders that this finds its modules in."""

    python: str
    folders: tuple[str, ...]


def find_program(name: str) -> str | None:
    """Return the path of a program of PATH, or else of this Python's environment."""
    beside = Path(sys.executable).with_name(name)
    return shutil.which(name) or (str(beside) if beside.exists() else None)


def ansible(program: str) -> Ansible:
    """Ask Ansible which Python it runs on; SandboxError if it does not tell."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    said = _said([program, "--version"], environment)
    found = re.search(r"^\s*python version = .*\((/[^()]+)\)\s*$", said, re.MULTILINE)
    if not found:
        raise SandboxError(f"{program} does not tell which Python it runs on")
    folders = json.loads(_said([found[1], "-c", _ASK], environment))
    return Ansible(found[1], tuple(folder for folder in folders if folder.startswith("/")))


def _said(command: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SandboxError(f"{command[0]} fails: {done.stderr.strip()[-500:]}")
    return done.stdout


def play(
    program: Ansible, arguments: Sequence[str], root: Path, readable: Iterable[Path], writable: Path
) -> list[str]:
    """Return the command that runs ansible-playbook on a checkout at `root`, in a sandbox.

    Of what else there is it may read `readable`, and write in `writable`. Raises SandboxError if bubblewrap
    is not here.
    """
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise SandboxError("bubblewrap is not here (apt install bubblewrap)")
    collections = list(_collections(root))
    command = [bubblewrap, "--unshare-all", "--cap-drop", "ALL", "--die-with-parent", "--new-session"]
    command += ["--clearenv", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", _HOME]  # noqa: S108
    for folder in _SYSTEM:
        if Path(folder).is_symlink():
            command += ["--symlink", str(Path(folder).readlink()), folder]
        else:
            command += ["--ro-bind-try", folder, folder]
    for path in (*_SETTINGS, *_outside_system(program), *_folders_of(collections, root), *map(str, readable)):
        command += ["--ro-bind-try", path, path]
    command += ["--ro-bind", str(root), str(root)]
    repository = root / ".git"  # what git has, and may have put there to log in somewhere
    if repository.is_dir() and not repository.is_symlink():
        command += ["--tmpfs", str(repository)]
    command += ["--bind", str(writable), str(writable), "--chdir", str(root)]
    environment = {
        "HOME": _HOME,
        "LANG": "C.UTF-8",
        "PATH": f"{Path(program.python).parent}:/usr/bin:/bin",
        "PYTHONPATH": ":".join(program.folders[2:]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_COLLECTIONS_PATH": ":".join(collections),
    }
    for name, value in environment.items():
        command += ["--setenv", name, value]
    return [*command, "--", program.python, "-c", _PLAY, *arguments]


def _outside_system(program: Ansible) -> Iterator[str]:
    """Yield the folders of a Python and its modules that are none of the system's."""
    for folder in dict.fromkeys((*program.folders, str(Path(program.python).resolve().parent))):
        if Path.home().is_relative_to(folder):
            continue  # which is what is not to be shown
        if not folder.startswith(tuple(f"{one}/" for one in _SYSTEM)) and folder not in _SYSTEM:
            yield folder


def _collections(root: Path) -> Iterator[str]:
    """Yield where a checkout says that collections are, else where the user has them."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        settings.read(root / "ansible.cfg", "utf-8")
    said = settings.get("defaults", "collections_path", fallback="")
    if not said and (root / OURS).is_dir():
        said = str(OURS)
    users = os.environ.get("ANSIBLE_COLLECTIONS_PATH", f"~/.ansible/collections:{_INSTALLED}")
    for path in filter(None, (said or users).split(":")):
        yield str(root / Path(path.strip()).expanduser())


OURS = Path("ansible", "playbooks", "collections")
"""Where a checkout of this repository is a collection."""


def _folders_of(collections: Iterable[str], root: Path) -> Iterator[str]:
    """Yield the folders with collections that are not of the checkout, and what links in them lead to.

    Nothing that the checkout names is shown but what has the name that only such folders have.
    """
    for path in collections:
        folder = Path(path, _COLLECTIONS)
        if folder.is_relative_to(root) or folder.resolve().name != _COLLECTIONS:
            continue
        yield str(folder)
        for collection in folder.glob("*/*"):
            if collection.is_symlink():
                yield str(collection.resolve())
