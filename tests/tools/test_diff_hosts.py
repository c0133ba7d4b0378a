"""`pxerelay diff --inventory` on what Ansible renders for each host, of a real repository."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.repositories import commit, git, write

REPOSITORY = Path(__file__).parents[2]
PXERELAY = Path(sys.executable).with_name("pxerelay")

HOSTS = "pxerelay: {hosts: {relay1: {}, relay2: {}, relay3: {pxerelay_default: wds}}}\n"
VARIABLES = """\
pxerelay_servers: {ris: 10.20.0.10, wds: 10.20.0.30}
pxerelay_default: ris
pxerelay_interfaces: {vlan10: {}}
pxerelay_rules: {"02:00:00:00:00:01": wds}
pxerelay_rule_files: ["{{ inventory_dir }}/rules/kiosks.yml"]
"""
FILES = {
    "ansible.cfg": f"[defaults]\ncollections_path = {REPOSITORY / 'ansible/playbooks/collections'}\n",
    "hosts/hosts.yml": HOSTS,
    "hosts/group_vars/pxerelay.yml": VARIABLES,
    "hosts/rules/kiosks.yml": "rules: {02:00:00:00:00:02: ris}\n",
}


def _environment(folder: Path, home: Path | None = None, path: str | None = None) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    temporary = folder.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    more = {"HOME": str(home)} if home else {}
    more |= {"PATH": path} if path else {}
    return {**ours, **more, "TMPDIR": str(temporary), "ANSIBLE_LOCAL_TEMP": str(folder.parent / "ansible")}


def _diff(
    folder: Path,
    *arguments: str,
    inventory: str = "hosts",
    home: Path | None = None,
    path: str | None = None,
) -> tuple[int, str]:
    done = subprocess.run(
        [PXERELAY, "diff", "--inventory", inventory, *arguments],
        cwd=folder,
        env=_environment(folder, home, path),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert list((folder.parent / "temporary").iterdir()) == []
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    commit(repository, FILES)
    return repository


def test_hosts_with_the_same_difference_are_told_together(folder: Path) -> None:
    write(
        folder,
        {
            "hosts/hosts.yml": HOSTS.replace("relay1: {}", "relay1: {}, relay4: {}"),
            "hosts/group_vars/pxerelay.yml": VARIABLES.replace(
                "pxerelay_default: ris", "pxerelay_default: wds"
            ),
        },
    )
    code, said = _diff(folder, "HEAD")
    assert code == 1
    assert "relay1, relay2: goes elsewhere: unlisted clients\n\nunlisted clients\n" in said
    assert "  every unlisted client on vlan10  ris -> wds\n" in said
    assert "relay3: no difference: every client goes where it went\n" in said
    assert "relay4: is a new host" in said


def test_two_revisions_and_their_rule_files(folder: Path) -> None:
    commit(folder, {"hosts/rules/kiosks.yml": "rules: {02:00:00:00:00:02: wds}\n"})
    code, said = _diff(folder, "HEAD~1", "HEAD", "--format", "json")
    assert code == 1
    (part,) = json.loads(said)
    assert part["hosts"] == ["relay1", "relay2", "relay3"]
    (move,) = part["addresses"]
    assert move["key"] == "02:00:00:00:00:02"
    assert move["before"]["source"] == "HEAD~1:/etc/pxerelay/rules.d/kiosks.yml:1"
    assert git(folder, "worktree", "list").count("\n") == 1


def test_what_can_not_be_rendered_or_does_not_load(folder: Path) -> None:
    commit(folder, {"hosts/rules/kiosks.yml": "rules: {02:00:00:00:00:02: wsd}\n"})
    code, said = _diff(folder, "HEAD~1", "HEAD")
    assert code == 2
    assert said.startswith("relay1: HEAD:/etc/pxerelay/rules.d/kiosks.yml:1:28: unknown server 'wsd'")
    write(folder, {"hosts/group_vars/pxerelay.yml": "pxerelay_rules: {52:54:00:12:34:56: ris}\n"})
    code, said = _diff(folder, "HEAD~1")
    assert code == 2
    assert "ansible-playbook could not render" in said
    assert "41135085296" in said


def _of_command_line(part: str) -> list[int]:
    """Return the processes that have a text in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if part.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("option", ["--trusted", None])
@pytest.mark.parametrize("rendering", [False, True])
def test_nothing_is_left_when_it_is_ended(folder: Path, rendering: bool, option: str | None) -> None:
    seconds = f"60.{os.getpid()}"  # which nobody else sleeps
    write(folder, {"slow.sh": f"#!/bin/sh\nexec sleep {seconds}\n"})
    (folder / "slow.sh").chmod(0o755)
    commit(folder, {})
    command = [str(PXERELAY), "diff", "--inventory", "slow.sh", "HEAD", *([option] if option else [])]
    running = subprocess.Popen(command, cwd=folder, env=_environment(folder))
    deadline = time.monotonic() + 60
    while not (_of_command_line(seconds) if rendering else git(folder, "worktree", "list").count("\n") > 1):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 128 + signal.SIGTERM
    while _of_command_line(seconds):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list((folder.parent / "temporary").iterdir()) == []
    assert git(folder, "worktree", "list").count("\n") == 1


SPIES = {
    "a lookup": VARIABLES
    + """pxerelay_classes:
  - {name: "{{ lookup('pipe', spy) | default('nothing', true) }}", arch: 7, server: wds}
spy: >-
  cat $HOME/key HOME/key; touch HOME/owned;
  python3 -c 'import socket; socket.create_connection(("127.0.0.1", PORT), 1)'
""",
    "a file": VARIABLES
    + """pxerelay_classes:
  - {name: "{{ lookup('file', 'HOME/key', errors='ignore') }}", arch: 7, server: wds}
""",
    "its connection": VARIABLES
    + """ansible_connection: ssh
ansible_shell_executable: "{{ inventory_dir }}/spy.sh"
ansible_remote_tmp: HOME/tmp
""",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of who reviews, with a secret in it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "key").write_text("secret-of-the-reviewer")
    return home


@pytest.mark.parametrize("spy", SPIES)
def test_what_a_revision_runs_reaches_neither_home_nor_network(spy: str, folder: Path, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        text = SPIES[spy].replace("HOME", str(home)).replace("PORT", str(port))
        write(folder, {"hosts/group_vars/pxerelay.yml": text})
        write(folder, {"hosts/spy.sh": f'#!/bin/sh\ntouch {home}/owned\nexec /bin/sh "$@"\n'})
        (folder / "hosts" / "spy.sh").chmod(0o755)
        commit(folder, {})
        _, said = _diff(folder, "HEAD~1", "HEAD", home=home)
        with pytest.raises(TimeoutError):
            server.accept()
        assert "secret" not in said
        assert not (home / "owned").exists()
        _, said = _diff(folder, "HEAD~1", "HEAD", "--trusted", home=home)
        assert "secret" in said or (home / "owned").exists()
        if spy == "a lookup":
            server.accept()[0].close()


def test_plugins_and_settings_of_a_revision_run_in_the_sandbox(folder: Path, home: Path) -> None:
    """They do run there: what they may do is what matters. With --trusted they run as the user."""
    plugin = f"""\
from pathlib import Path
try:
    Path({str(home / "owned")!r}).write_text(Path({str(home / "key")!r}).read_text())
except OSError:
    pass
from ansible.plugins.callback.default import CallbackModule
"""
    write(
        folder,
        {
            "ansible.cfg": FILES["ansible.cfg"] + "callback_plugins = plugins\nstdout_callback = spy\n",
            "plugins/spy.py": plugin.replace("CallbackModule", "CallbackModule  # noqa: F401"),
        },
    )
    commit(folder, {})
    _diff(folder, "HEAD~1", "HEAD", home=home)
    assert not (home / "owned").exists()
    _diff(folder, "HEAD~1", "HEAD", "--trusted", home=home)
    assert (home / "owned").read_text() == "secret-of-the-reviewer"


def test_what_git_has_is_not_shown_to_what_is_here_now(folder: Path) -> None:
    """A checkout of a pipeline has a token in .git/config."""
    git(folder, "config", "http.extraheader", "AUTHORIZATION: basic secret")
    lookup = (
        "{{ lookup('file', inventory_dir ~ '/../.git/config', errors='ignore') | default('nothing', true) }}"
    )
    more = f'pxerelay_classes: [{{name: "{lookup}", arch: 7, server: wds}}]\n'
    write(folder, {"hosts/group_vars/pxerelay.yml": VARIABLES + more})
    code, said = _diff(folder, "HEAD")
    assert code == 1, said
    assert "secret" not in said
    assert "nothing" in said


def test_results_that_the_role_does_not_write_are_refused(folder: Path, home: Path) -> None:
    """Whatever runs in there can write in the folder of the results: no link in it is followed."""
    script = f"""\
#!/bin/sh
for results in /tmp/*/*/hosts "$PWD"/../hosts; do
    if [ -d "$results" ]; then ln -s {home}/key "$results/relay9.json"; fi
done
cat hosts/hosts.yml >/dev/null; echo '{{"pxerelay": {{"hosts": ["relay1"]}}}}'
"""
    write(folder, {"hosts.sh": script})
    (folder / "hosts.sh").chmod(0o755)
    for name in ("group_vars",):
        write(
            folder,
            {
                f"{name}/pxerelay.yml": VARIABLES.replace(
                    "{{ inventory_dir }}/rules", "{{ inventory_dir }}/hosts/rules"
                )
            },
        )
    commit(folder, {})
    code, said = _diff(folder, "HEAD", inventory="hosts.sh")
    assert (code, "secret" in said) == (2, False)
    assert "what was rendered for relay9 is not as the role writes it" in said


def test_without_a_sandbox_nothing_is_rendered(folder: Path) -> None:
    tools = folder.parent / "tools"
    tools.mkdir()
    for name in ("git", "ansible-playbook"):
        found = shutil.which(name) or str(PXERELAY.with_name(name))
        (tools / name).symlink_to(found)
    code, said = _diff(folder, "HEAD", path=str(tools))
    assert code == 2
    assert said.startswith("bubblewrap is not here (apt install bubblewrap); a revision's inventory, plugins")
    assert "--trusted" in said
