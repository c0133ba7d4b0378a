"""The modules `mapping` and `rollback`: a folder that changes as a whole, is proven, and is put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.role.modules import Daemon, FailedError, Module, plugin, running
from tests.role.plays import BIN

mapping = plugin("modules.mapping")
rollback = plugin("modules.rollback")
folder = plugin("module_utils.folder")
kept = plugin("module_utils.kept")
proof = plugin("module_utils.proof")

BASE = """\
servers: {ris: 192.0.2.10, altiris: 192.0.2.20}
default: ris
interfaces: {vlan10: {}}
"""
ONE = BASE + "rules:\n  02:00:00:10:00:01: altiris\n"
OTHER = BASE + "rules:\n  02:00:00:10:00:01: ris\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files belong to root")


class Host:
    """A relay host's folders below one, and its daemon."""

    def __init__(self, top: Path) -> None:
        self.path = top / "etc" / "pxerelay"
        self.home = top / "opt" / "pxerelay"
        self.unit = top / "pxerelay.service"
        self.link = top / "bin" / "pxerelay"
        self.release = self.home / "releases" / "one"
        for place in (self.path, self.release / "bin"):
            place.mkdir(parents=True)
        (self.release / "bin" / "pxerelay").symlink_to(BIN / "pxerelay")
        (self.home / "current").symlink_to(self.release)
        self.unit.write_text("one\n")
        self.daemon = Daemon(top / "control.sock", self.path)
        self.daemon.prefix = str(self.release)

    def parameters(self, files: dict[str, str], **more: Any) -> dict[str, Any]:
        """Return what a task gives the module."""
        return {
            "path": str(self.path),
            "files": files,
            "group": "root",
            "program": str(self.release / "bin" / "pxerelay"),
            "release": str(self.release),
            "socket": str(self.daemon.socket),
            "state": "proven",
            "probes": [],
            "interfaces": ["vlan10"],
            "routers": False,
            "require_active": None,
            "pair": [],
            "variables": {},
            "home": str(self.home),
            "unit": str(self.unit),
            **more,
        }

    def map(self, text: str, *, check_mode: bool = False, more: Any = None, **rules: Any) -> dict[str, Any]:
        """Call the module `mapping`; FailedError if it fails."""
        wanted = mapping.Mapping(
            Module(
                self.parameters({"pxerelay.yml": text, **(more or {})}, **rules),
                check_mode=check_mode,
            )
        )
        wanted.bring_about()
        result: dict[str, Any] = wanted.result
        return result

    def go_back(self, which: str = "auto", *, check_mode: bool = False) -> dict[str, Any]:
        """Call the module `rollback`, as far as it goes without systemd."""
        back = rollback.Rollback(
            Module(
                {
                    "which": which,
                    "path": str(self.path),
                    "home": str(self.home),
                    "unit": str(self.unit),
                    "link": str(self.link),
                    "man": str(self.unit.parent / "man"),
                    "socket": str(self.daemon.socket),
                    "restart": [],
                },
                check_mode=check_mode,
            )
        )
        back._have_it_run = self.daemon.load
        back.go_back()
        result: dict[str, Any] = back.result
        return result

    def text(self) -> str:
        """Return the configuration that is in place."""
        return (self.path / "pxerelay.yml").read_text()

    def seen(self) -> list[str]:
        """Return what is in the folder and beside it."""
        return sorted(
            str(path.relative_to(self.path.parent)) for path in self.path.parent.rglob("*") if path.is_file()
        )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    with running(made.daemon):
        yield made


def test_a_mapping_is_written_loaded_and_kept(host: Host) -> None:
    (host.path / "pxerelay.schema.json").write_text("{}")
    (host.path / "rules.d").mkdir()
    (host.path / "rules.d" / "old.yml").write_text("rules: {}\n")
    rules = {"rules.d/kiosks.yml": "rules:\n  02:00:00:10:00:07: altiris\n"}
    result = host.map(ONE + "include: rules.d/*.yml\n", more=rules)
    assert (result["changed"], result["written"], result["reloaded"], result["kept"]) == (True,) * 4
    names = ["pxerelay.schema.json", "pxerelay.yml", "rules.d/kiosks.yml"]
    assert host.seen() == [f"pxerelay/{name}" for name in names]
    assert host.daemon.reloads == 1
    for path, mode in ((host.path, 0o750), (host.path / "rules.d", 0o750), (host.path / names[1], 0o640)):
        assert (path.stat().st_mode & 0o7777, path.owner(), path.group()) == (mode, "root", "root")
    again = host.map(ONE + "include: rules.d/*.yml\n", more=rules)
    assert not any(again[key] for key in ("changed", "written", "reloaded", "kept", "put_back"))
    assert host.daemon.reloads == 1


@pytest.mark.parametrize("what", ["mode", "owner", "extra"])
def test_what_somebody_changed_by_hand_is_put_right(host: Host, what: str) -> None:
    host.map(ONE)
    file = host.path / "pxerelay.yml"
    if what == "mode":
        file.chmod(0o644)
    elif what == "owner":
        os.chown(file, 65534, -1)
    else:
        (host.path / "rules.d").mkdir()
        (host.path / "rules.d" / "more.yml").write_text("rules: {}\n")
    assert host.map(ONE)["written"]
    assert host.seen() == ["pxerelay/pxerelay.yml"]
    assert (file.owner(), file.stat().st_mode & 0o7777) == ("root", 0o640)


def test_a_refused_mapping_leaves_no_trace_and_names_the_variable(host: Host) -> None:
    host.map(ONE)
    wrong = BASE + "rules:\n  02:00:00:10:00:01: altiris\n  02:00:00:10:00:02: altirs\nmax_hops: 99\n"
    with pytest.raises(FailedError) as failed:
        host.map(wrong, variables={"02:00:00:10:00:02": "pxerelay_rules__kiosks"})
    lines = str(failed.value).splitlines()
    assert lines[0] == "The daemon refuses this configuration; the host keeps the one it has."
    (rule,) = [line for line in lines if "did you mean 'altiris'" in line]
    assert rule.startswith(f"{host.path}/pxerelay.yml:6:")
    assert rule.endswith("(pxerelay_rules__kiosks)")
    assert any(line.endswith("(pxerelay_max_hops)") for line in lines), lines
    assert host.text() == ONE
    assert host.seen() == ["pxerelay/pxerelay.yml"]


def test_check_mode_shows_the_lines_and_changes_nothing(host: Host) -> None:
    host.map(ONE)
    result = host.map(OTHER, check_mode=True)
    assert result["changed"]
    assert result["diff"] == [
        {
            "before_header": f"{host.path}/pxerelay.yml",
            "after_header": f"{host.path}/pxerelay.yml",
            "before": ONE,
            "after": OTHER,
        }
    ]
    assert host.text() == ONE
    assert host.seen() == ["pxerelay/pxerelay.yml"]
    assert host.daemon.reloads == 1
    with pytest.raises(FailedError, match="refuses"):
        host.map(BASE + "max_hops: 99\n", check_mode=True)


def test_a_probe_that_is_not_answered_puts_the_old_mapping_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "TRIES", 2)
    probes = [{"mac": "02:00:00:10:00:01", "server": "altiris", "interface": "vlan10", "arch": None}]
    assert host.map(ONE, probes=probes)["kept"]
    with pytest.raises(FailedError) as failed:
        host.map(OTHER, probes=probes)
    assert failed.value.result["put_back"]
    assert "altiris did not answer: 02:00:00:10:00:01 on vlan10" in str(failed.value)
    assert "What was there before is in force again." in str(failed.value)
    assert host.text() == ONE
    assert host.daemon.files == {
        str(host.path / "pxerelay.yml"): plugin("module_utils.host").sha256(str(host.path / "pxerelay.yml"))
    }
    assert host.seen() == ["pxerelay/pxerelay.yml"]


@pytest.mark.parametrize(
    ("said", "families", "link_address"),
    [
        ({}, [], None),
        ({"family": "6"}, [6], None),
        ({"family": "4"}, [4], None),
        ({"interface": None, "link_address": "2001:db8:77::1"}, [], "2001:db8:77::1"),
        ({"interface": None, "family": "6", "link_address": "2001:db8:77::1"}, [6], "2001:db8:77::1"),
    ],
)
def test_a_probe_says_by_which_family_it_asks_and_with_which_link_address(
    host: Host, said: dict[str, Any], families: list[int], link_address: str | None
) -> None:
    """As the daemon hears it: without a family by each that is on."""
    probe = {"mac": "02:00:00:10:00:01", "server": "altiris", "interface": "vlan10", **said}
    assert host.map(ONE, probes=[probe])["kept"]
    (asked,) = host.daemon.probed
    assert (asked["families"], asked["link_address"]) == (families, link_address)
    assert (asked["interface"], asked["expected"]) == (probe["interface"], "altiris")


def test_a_probe_by_dhcpv6_alone_that_is_not_answered_puts_the_old_mapping_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "TRIES", 1)
    probes = [{"mac": "02:00:00:10:00:01", "server": "altiris", "interface": "vlan10", "family": "6"}]
    assert host.map(ONE, probes=probes)["kept"]
    with pytest.raises(FailedError, match="altiris did not answer"):
        host.map(OTHER, probes=probes)
    assert host.text() == ONE
    assert {tuple(one["families"]) for one in host.daemon.probed} == {(6,)}


def test_a_run_that_was_killed_between_rename_and_proof_is_put_back_by_the_next(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "TRIES", 1)
    probes = [{"mac": "02:00:00:10:00:01", "server": "altiris", "interface": "vlan10", "arch": None}]
    host.map(ONE, probes=probes)
    host.map(OTHER, state="written")
    assert host.text() == OTHER
    with pytest.raises(FailedError):
        host.map(OTHER, probes=probes)
    assert host.text() == ONE


@pytest.mark.parametrize("at", ["prepare", "put_in_place"])
def test_broken_off_anywhere_the_folder_is_one_or_the_other(
    host: Host, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mapping never is a mixture: what is written before the end is beside it."""
    rules = {"rules.d/kiosks.yml": "rules:\n  02:00:00:10:00:07: altiris\n"}
    host.map(ONE)
    real = getattr(folder, at)

    def broken_off(*arguments: Any) -> Any:
        if at == "prepare":
            real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder, at, broken_off)
        with pytest.raises(KeyboardInterrupt):
            host.map(OTHER + "include: rules.d/*.yml\n", more=rules)
    assert host.text() == ONE
    assert not (host.path / "rules.d").exists()
    host.map(OTHER + "include: rules.d/*.yml\n", more=rules)
    assert host.seen() == ["pxerelay/pxerelay.yml", "pxerelay/rules.d/kiosks.yml"]


def test_an_interface_that_is_not_there_is_a_failure_unless_somebody_says_otherwise(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "SETTLES", 0.0)
    host.daemon.interfaces["vlan200"] = {"state": "waiting", "waiting": "the interface is not there"}
    with pytest.raises(FailedError, match="vlan200 waits: the interface is not there"):
        host.map(ONE, interfaces=["vlan10", "vlan200"])
    result = host.map(ONE, interfaces=["vlan10", "vlan200"], require_active=False)
    assert result["idle"] == ["vlan200 waits: the interface is not there"]
    assert host.map(ONE, interfaces=["vlan*"])["idle"] == result["idle"], "it is named by a glob"
    with pytest.raises(FailedError, match="vlan200 waits"):
        host.map(ONE, interfaces=["vlan*"], require_active=True)
    stands_by = host.map(ONE, interfaces=["vlan10", "vlan200"], pair=["vlan200"])
    assert stands_by["stands_by"]


def test_a_relay_that_serves_nobody_is_told_of(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "SETTLES", 0.0)
    host.daemon.interfaces.clear()
    told = host.map(ONE, interfaces=["vlan*"])["idle"]
    assert told[0] == '"vlan*" of pxerelay_interfaces stands for no interface of this host'
    assert told[1].startswith("nothing is relayed: ")
    with pytest.raises(FailedError, match="nothing is relayed"):
        host.map(ONE, interfaces=["vlan*"], require_active=True)
    assert host.map(ONE, interfaces=[], routers=True, require_active=True)["idle"] == []


def test_another_build_than_the_wanted_one_is_no_proof(host: Host) -> None:
    host.daemon.prefix = "/opt/pxerelay/releases/old"
    with pytest.raises(FailedError, match="The daemon that runs is /opt/pxerelay/releases/old, and not"):
        host.map(ONE)


def test_without_a_daemon_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Host(tmp_path)
    monkeypatch.setattr(mapping, "STARTS", 0.0)
    with pytest.raises(FailedError, match=r"no daemon answers at .*control\.sock"):
        alone.map(ONE)


def test_it_goes_back_to_what_was_proven_before(host: Host) -> None:
    host.map(ONE)
    host.map(OTHER)
    assert host.go_back("look")["which"] == "previous"
    assert host.go_back(check_mode=True)["changed"]
    assert host.text() == OTHER
    result = host.go_back()
    assert (result["which"], result["changed"], host.text()) == ("previous", True, ONE)
    assert host.seen() == ["pxerelay/pxerelay.yml"]
    assert host.go_back()["which"] == "nothing", "what was put back is what is proven now"


def test_it_goes_back_to_what_is_proven_where_that_is_not_there(host: Host) -> None:
    host.map(ONE)
    (host.path / "pxerelay.yml").write_text("broken")
    host.unit.write_text("broken")
    (host.home / "current").unlink()
    (host.home / "current").symlink_to("/nowhere")
    assert host.go_back()["which"] == "proven"
    assert (host.text(), host.unit.read_text()) == (ONE, "one\n")
    assert (host.home / "current").readlink() == host.release


def test_what_is_kept_and_refused_is_not_put_back(host: Host) -> None:
    host.map(ONE)
    host.map(OTHER)
    (host.home / "previous" / "config" / "pxerelay.yml").write_text("max_hops: 99\n")
    with pytest.raises(FailedError, match="refuses what is kept; the host keeps what it has"):
        host.go_back()
    assert host.text() == OTHER


def test_builds_that_nobody_would_go_back_to_are_removed(host: Host) -> None:
    (host.home / "releases" / "stray").mkdir()
    host.map(ONE)
    assert [path.name for path in (host.home / "releases").iterdir()] == ["one"]


@pytest.mark.parametrize(
    "name", ["../x.yml", "rules.d/../x.yml", "rules.d/a/b.yml", "other.yml", "/etc/passwd"]
)
def test_no_other_file_is_written(host: Host, name: str) -> None:
    with pytest.raises(FailedError, match="there is "):
        host.map(ONE, more={name: "rules: {}\n"})
    assert host.seen() == []
