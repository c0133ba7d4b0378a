"""The configurations that the Ansible role renders for each host of an inventory, now or at a revision.

Ansible itself renders them, on this machine: nothing connects to a host. A revision is checked out in a
folder of its own meanwhile, so that the inventory, the role and the rule files are all of that revision.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pxerelay.config.load import load
from pxerelay.config.loaded import Loaded
from pxerelay.config.source import Disk
from pxerelay.tools.diff.git_source import RevisionError, commit_of, git, root_of

PLAYBOOK = """\
- hosts: pxerelay
  gather_facts: false
  become: false
  tasks:
    - ansible.builtin.include_role: {name: pxerelay.pxerelay.pxerelay, tasks_from: render, public: true}
      when: pxerelay_state | default('present') == 'present'
    - ansible.builtin.copy:
        dest: "{{ pxerelay_diff_folder }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: "{{ {'paths': __pxerelay_wanted.keys() | list, 'contents': __pxerelay_contents} | to_json }}"
      delegate_to: localhost
      when: pxerelay_state | default('present') == 'present'
"""

_VARIABLES = {
    "ansible_connection": "local",
    "ansible_become": False,
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
}

_COLLECTIONS = Path("ansible", "playbooks", "collections")
"""Where a checkout of this repository is a collection."""

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class RenderError(Exception):
    """Ansible could not render; the message has what it said."""


@dataclass(frozen=True)
class Rendered:
    """The files of one host, each path with its content, the configuration first."""

    files: tuple[tuple[str, str], ...]

    def load(self, called: str) -> Loaded:
        """Load the configuration; messages name files by their path on the host, after `called`."""
        with tempfile.TemporaryDirectory(prefix="pxerelay-diff-") as folder:
            root = Path(folder)
            for path, content in self.files:
                written = root / path.lstrip("/")
                written.parent.mkdir(parents=True, exist_ok=True)
                written.write_text(content, "utf-8")
            return load(root / self.files[0][0].lstrip("/"), source=Disk(root, called))


def rendered(inventory: Path, revision: str | None) -> dict[str, Rendered]:
    """Return what the role renders for each host of an inventory, with None as it is now.

    Raises RenderError if Ansible can't, RevisionError if git does not have the revision.
    """
    with _ending_by_exception(), tempfile.TemporaryDirectory(prefix="pxerelay-diff-") as folder:
        if revision is None:
            return _rendered(inventory.resolve(), _root(inventory), Path(folder))
        root = root_of(Path.cwd())
        if not inventory.resolve().is_relative_to(root.resolve()):
            raise RenderError(f"{inventory} is not in the repository {root}, where the revisions are")
        with _checked_out(revision, root, Path(folder, "tree")) as tree:
            there = tree / inventory.resolve().relative_to(root.resolve())
            if not there.exists():
                raise RenderError(f"{revision} has no {inventory}")
            return _rendered(there, tree, Path(folder))


def _root(inventory: Path) -> Path:
    folder = inventory.resolve()
    return root_of(folder if folder.is_dir() else folder.parent)


@contextlib.contextmanager
def _checked_out(revision: str, root: Path, tree: Path) -> Iterator[Path]:
    commit = commit_of(revision, root)
    quiet = ["-c", "core.hooksPath=/dev/null", "worktree"]
    try:
        with _undisturbed():
            git([*quiet, "add", "--quiet", "--detach", str(tree), commit], root)
        yield tree
    finally:
        with _undisturbed(), contextlib.suppress(RevisionError):  # never added
            git([*quiet, "remove", "--force", "--force", str(tree)], root)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Have such signals wait: git is not to be killed while it adds or removes a folder."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _ending_by_exception() -> Iterator[None]:
    """Have signals that end us raise SystemExit, so that what was made is removed."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _rendered(inventory: Path, root: Path, folder: Path) -> dict[str, Rendered]:
    playbook, hosts = folder / "render.yml", folder / "hosts"
    playbook.write_text(PLAYBOOK, "utf-8")
    hosts.mkdir()
    variables = json.dumps({**_VARIABLES, "pxerelay_diff_folder": str(hosts)})
    _play(["-i", str(inventory), str(playbook), "--extra-vars", variables], root)
    found = {}
    for path in sorted(hosts.glob("*.json")):
        one = json.loads(path.read_text("utf-8"))
        found[path.name.removesuffix(".json")] = Rendered(
            tuple(zip(one["paths"], one["contents"], strict=True))
        )
    if not found:
        raise RenderError(f"{inventory} has no host in the group pxerelay")
    return found


def _play(arguments: list[str], root: Path) -> None:
    """Run ansible-playbook in the top folder of a repository, whose ansible.cfg it reads."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    program = shutil.which("ansible-playbook") or (str(beside) if beside.exists() else None)
    if program is None:
        raise RenderError("ansible-playbook is not here, and the role renders by it; install ansible-core")
    environment = dict(os.environ)
    if (root / _COLLECTIONS).is_dir() and not (root / "ansible.cfg").exists():
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(root / _COLLECTIONS)
    play = subprocess.Popen(
        [program, *arguments],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = play.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(play.pid, signal.SIGTERM)
        play.wait()
        raise
    if play.returncode:
        raise RenderError(f"ansible-playbook could not render:\n{said.decode('utf-8', 'replace').strip()}")
