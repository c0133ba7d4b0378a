"""The configurations that the Ansible role renders for each host of an inventory, now or at a revision.

Ansible itself renders them, on this machine: nothing connects to a host. A revision is checked out in a
folder of its own meanwhile, so that the inventory, the role and the rule files are all of that revision. They
run in a `sandbox`, and what they leave behind is read as what a stranger wrote.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pxerelay.config.load import load
from pxerelay.config.loaded import Loaded
from pxerelay.config.source import read_regular
from pxerelay.tools.diff import sandbox
from pxerelay.tools.diff.git_source import RevisionError, commit_of, git, root_of
from pxerelay.tools.diff.listing import TextFiles

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

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class RenderError(Exception):
    """Ansible could not render; the message has what it said."""


@dataclass(frozen=True)
class Rendered:
    """The files of one host, each path with its content, the configuration first."""

    files: tuple[tuple[str, str], ...]

    def load(self, called: str) -> Loaded:
        """Load the configuration; messages name files by their path on the host, after `called`."""
        return load(Path(self.files[0][0]), source=TextFiles(dict(self.files), called))


def rendered(inventory: Path, revision: str | None, *, trusted: bool) -> dict[str, Rendered]:
    """Return what the role renders for each host of an inventory, with None as it is now.

    What is `trusted` runs as the user does, with network, home and environment; else in a sandbox.

    Raises RenderError if Ansible can't, RevisionError if git does not have the revision.
    """
    with _ending_by_exception(), tempfile.TemporaryDirectory(prefix="pxerelay-diff-") as folder:
        if revision is None:
            return _rendered(inventory.resolve(), _root(inventory), Path(folder), trusted=trusted)
        root = root_of(Path.cwd())
        if not inventory.resolve().is_relative_to(root.resolve()):
            raise RenderError(f"{inventory} is not in the repository {root}, where the revisions are")
        with _checked_out(revision, root, Path(folder, "tree")) as tree:
            there = tree / inventory.resolve().relative_to(root.resolve())
            if not there.exists():
                raise RenderError(f"{revision} has no {inventory}")
            return _rendered(there, tree, Path(folder), trusted=trusted)


def _root(inventory: Path) -> Path:
    folder = inventory.resolve()
    return root_of(folder if folder.is_dir() else folder.parent)


@contextlib.contextmanager
def _checked_out(revision: str, root: Path, tree: Path) -> Iterator[Path]:
    commit = commit_of(revision, root)
    lfs = ["filter.lfs.smudge=", "filter.lfs.process=", "filter.lfs.required=false"]  # which asks a server
    quiet = [part for setting in ("core.hooksPath=/dev/null", *lfs) for part in ("-c", setting)] + [
        "worktree"
    ]
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


def _rendered(inventory: Path, root: Path, folder: Path, *, trusted: bool) -> dict[str, Rendered]:
    root, folder = root.resolve(), folder.resolve()
    playbook, hosts = folder / "render.yml", folder / "hosts"
    playbook.write_text(PLAYBOOK, "utf-8")
    hosts.mkdir()
    variables = json.dumps({**_VARIABLES, "pxerelay_diff_folder": str(hosts)})
    arguments = ["-i", str(inventory), str(playbook), "--extra-vars", variables]
    program = sandbox.find_program("ansible-playbook")
    if program is None:
        raise RenderError("ansible-playbook is not here, and the role renders by it; install ansible-core")
    if trusted:
        _play([program, *arguments], root, _environment(root))
    else:
        try:
            command = sandbox.play(sandbox.ansible(program), arguments, root, [playbook], hosts)
        except sandbox.SandboxError as error:
            raise RenderError(f"{error}; {_WHY}, {_TRUST}") from None
        try:
            _play(command, root, dict(os.environ))
        except RenderError as error:
            raise RenderError(
                f"{error}\n(this had no network, home or environment: {_WHY}, {_TRUST})"
            ) from None
    found = {path.name.removesuffix(".json"): _result(path) for path in sorted(hosts.glob("*.json"))}
    if not found:
        raise RenderError(f"{inventory} has no host in the group pxerelay")
    return found


_WHY = "a revision's inventory, plugins and lookups are programs, which would run as you"

_TRUST = "as they do with --trusted: say that if you would run all that these revisions have in them"


def _result(path: Path) -> Rendered:
    """Read the files of one host; RenderError for what the role does not write: other code may have run."""
    strange = RenderError(
        f"what was rendered for {path.name.removesuffix('.json')} is not as the role writes it"
    )
    try:
        one = json.loads(read_regular(path))
        files = tuple(zip(one["paths"], one["contents"], strict=True))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise strange from None
    texts = [text for file in files for text in file]
    if not files or not all(isinstance(text, str) for text in texts):
        raise strange
    if not all(name.startswith("/") and os.path.normpath(name) == name for name, _ in files):
        raise strange
    return Rendered(files)


def _environment(root: Path) -> dict[str, str]:
    environment = dict(os.environ)
    if (root / sandbox.OURS).is_dir() and not (root / "ansible.cfg").exists():
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(root / sandbox.OURS)
    return environment


def _play(command: list[str], root: Path, environment: dict[str, str]) -> None:
    """Run ansible-playbook in the top folder of a repository, whose ansible.cfg it reads."""
    play = subprocess.Popen(
        command,
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
