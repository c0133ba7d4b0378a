"""Builds of the daemon that are Debian packages: made of one, told apart, switched between by dpkg."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError

from tests.lab.command import run
from tests.role.modules import FailedError, Module, plugin

build = plugin("lookup.build")
action = plugin("action.release")
facts = plugin("modules.facts")
kept = plugin("module_utils.kept")
links = plugin("module_utils.links")
package = plugin("module_utils.package")
proof = plugin("module_utils.proof")
release = plugin("modules.release")

CLI = """\
import sys


def main():
    print("pxerelay 1.0.0" if sys.argv[1:] == ["--version"] else sys.argv)
    return 0
"""


def _deb(folder: Path, name: str = "pxerelay", version: str = "1.0.0-1") -> Path:
    """Build a package that depends on nothing."""
    tree = folder / f"tree-{name}-{version}"
    module = tree / "usr/lib/python3/dist-packages/pxerelay"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "cli.py").write_text(CLI)
    (tree / "DEBIAN").mkdir()
    fields = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "a <a@example.net>"}
    text = "".join(f"{key}: {value}\n" for key, value in {**fields, "Description": "daemon"}.items())
    (tree / "DEBIAN" / "control").write_text(text)
    made = folder / f"{name}_{version}_all.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)])
    return made


class Host:
    """A relay host's folders below one, where dpkg is asked, and does nothing."""

    def __init__(self, top: Path, patch: pytest.MonkeyPatch) -> None:
        self.top = top
        self.home = top / "opt"
        self.link = top / "bin" / "pxerelay"
        self.asked: list[list[str]] = []
        self.installed = ""
        self.policies: list[str] = []
        self.policy = top / "policy-rc.d"
        self._run = package.run
        (top / "etc").mkdir()
        patch.setattr(package, "_POLICY", str(self.policy))
        patch.setattr(package, "CONFIG", str(top / "etc"))
        patch.setattr(package, "PATIENCE", 0.0)
        patch.setattr(package, "run", self.run)

    def run(self, argv: list[str], *more: Any) -> Any:
        """Do what does nothing to this machine, and note the rest."""
        if argv[0] == "dpkg-query":
            known = bool(self.installed)
            return (0, f"installed {self.installed}", "") if known else (1, "", "no such package")
        if argv[0] != "dpkg":
            return self._run(argv, *more)
        self.asked.append(argv[1:])
        self.policies.append(self.policy.read_text() if self.policy.exists() else "")
        if "--install" in argv:
            archive = Path(argv[-1])
            if not archive.exists():
                return 1, "", "there is no such archive"
            self.installed = self._run(["dpkg-deb", "--field", str(archive), "Version"])[1].strip()
            self._write_examples()
        else:
            self.installed = ""
        return 0, "", ""

    def _write_examples(self) -> None:
        """Do what dpkg does with the package's files of configuration, once that has another than before."""
        (self.top / "etc" / "rules.d").mkdir(exist_ok=True)
        for path in (self.top / "etc" / "pxerelay.yml", self.top / "etc-web.yml"):
            (path.with_name(f"{path.name}.dpkg-dist") if path.exists() else path).write_text("example\n")

    def call(self, what: str, *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        """Call the module, as `install`, `make_current` or `unlink`."""
        names = ("name", "wheel", "wheelhouse", "lock", "deb", "package", "archive")
        params: dict[str, Any] = dict.fromkeys(names)
        params |= {"home": str(self.home), "link": str(self.link), "man": str(self.top / "man"), **more}
        module = release.Release(Module(params, check_mode=check_mode))
        getattr(module, what)()
        result: dict[str, Any] = module.result
        return result

    def install(self, name: str, deb: Path) -> Path:
        """Have a build be there that is a package."""
        archive = action.archived(action.members(None, None, None, str(deb)), str(self.top))
        assert self.call("install", name=name, deb=str(deb), archive=archive)["changed"]
        return self.home / "releases" / name


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_package_is_a_build_beside_others_that_runs_before_it_is_installed(host: Host) -> None:
    path = host.install("one", _deb(host.top))
    assert host.asked == []
    assert package.is_one(str(path))
    assert package.about(str(path)) == ("1.0.0-1", "1.0.0")
    done = subprocess.run(
        [path / "bin" / "pxerelay", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "pxerelay 1.0.0\n"
    assert not host.call("install", name="one", deb="x")["changed"], "it is there, whole"
    assert facts.runs(str(path), {"prefix": "/usr", "version": "1.0.0"})


def test_a_package_that_is_another_leaves_nothing(host: Host) -> None:
    with pytest.raises(
        FailedError, match=r"other_1_all\.deb can not be installed.*(?s:.)*it is the package other"
    ):
        host.install("one", _deb(host.top, "other", "1"))
    assert not (host.home / "releases" / "one").exists()


def test_dpkg_installs_what_is_to_be_current_and_removes_it_for_a_wheel(host: Host) -> None:
    one, two = (host.install(name, _deb(host.top, version=name)) for name in ("1.0", "2.0"))
    host.link.parent.mkdir()
    host.link.symlink_to(f"{host.home}/current/bin/pxerelay")
    assert host.call("make_current", name="2.0", check_mode=True)["switched"]
    assert host.asked == []
    first = host.call("make_current", name="2.0")
    assert (first["changed"], first["switched"], host.installed) == (True, True, "2.0")
    assert first["links"] == [str(host.link)], "the package has a program of its own"
    assert not host.link.is_symlink()
    assert not host.call("make_current", name="2.0")["changed"]
    older = host.call("make_current", name="1.0")
    assert (older["switched"], host.installed, str((host.home / "current").readlink())) == (
        True,
        "1.0",
        str(one),
    )
    host.installed = "7.0"  # by somebody's hand
    assert host.call("make_current", name="1.0")["switched"]
    assert host.installed == "1.0"
    wheel = host.home / "releases" / "wheel" / "bin"
    wheel.mkdir(parents=True)
    assert host.call("make_current", name="wheel")["links"] == [str(host.link)]
    assert (host.asked[-1], host.installed) == (["--remove", "pxerelay"], "")
    assert host.asked[0] == ["--force-confold", "--install", str(two / "pxerelay.deb")]
    host.call("unlink")
    assert host.asked[-1] == ["--purge", "pxerelay"]


def test_a_host_goes_back_to_the_package_that_it_had(host: Host) -> None:
    one, two = (host.install(name, _deb(host.top, version=name)) for name in ("1.0", "2.0"))
    unit = host.top / "pxerelay.service"
    unit.write_text("unit\n")
    back = kept.Kept(str(host.home), str(host.top / "etc"), str(unit))
    host.call("make_current", name="1.0")
    assert back.keep()
    host.call("make_current", name="2.0")
    assert (back.same("proven"), back.choice()) == (False, "proven")
    back.put_back_service("proven")
    assert (host.installed, str((host.home / "current").readlink())) == ("1.0", str(one))
    assert back.same("proven")
    host.installed = "2.0"
    assert not back.same("proven"), "dpkg has another one"
    assert back.tidy() == ["2.0"]
    assert not two.exists()


@pytest.mark.parametrize(
    ("running", "same"),
    [
        ({"prefix": "/usr", "version": "1.0.0"}, True),
        ({"prefix": "/usr", "version": "0.9.0"}, False),
        ({"prefix": "/opt/pxerelay/releases/1.0.0-0123", "version": "1.0.0"}, False),
        ({}, True),
    ],
)
def test_a_daemon_is_of_a_package_by_its_version(host: Host, running: dict[str, str], same: bool) -> None:
    path = str(host.install("one", _deb(host.top)))
    assert package.is_running(path, running) is same
    other = proof.other_than({**running, "config": {}}, {}, path)
    assert other == ([] if same else [f"The daemon that runs is {running['prefix']}, and not {path}."])


def test_the_service_is_left_alone_meanwhile(host: Host) -> None:
    host.install("one", _deb(host.top))
    host.call("make_current", name="one")
    (text,) = host.policies
    assert not host.policy.exists()
    host.policy.write_text(text)

    def asked(unit: str) -> int:
        return subprocess.run(["sh", host.policy, unit, "restart"], check=False).returncode

    units = ("pxerelay.service", "pxerelay-web.service", "ssh.service")
    assert [asked(unit) for unit in units] == [101, 101, 0]
    host.policy.write_text(text.replace(f"kill -0 {os.getpid()} ", "kill -0 4194305 "))
    assert asked("pxerelay.service") == 0, "a play that was broken off keeps no service down"
    host.installed = ""
    host.call("make_current", name="one")
    assert not host.policy.exists(), "its leavings go"
    host.policy.write_text("#!/bin/sh\nexit 0\n")
    host.installed = ""
    host.call("make_current", name="one")
    assert host.policy.read_text() == "#!/bin/sh\nexit 0\n", "an administrator's"


def test_what_the_inventory_does_not_have_is_not_left_of_the_package_either(host: Host) -> None:
    etc, page = host.top / "etc", host.top / "etc-web.yml"
    (etc / "pxerelay.yml").write_text("ours\n")
    host.install("one", _deb(host.top))
    host.call("make_current", name="one")
    assert not page.exists(), "nobody asked for the page"
    assert sorted(path.name for path in etc.iterdir()) == ["pxerelay.yml"]
    page.write_text("ours\n")
    (etc / "rules.d").mkdir()
    host.installed = ""
    host.call("make_current", name="one")
    assert [path.read_text() for path in (page, etc / "pxerelay.yml")] == ["ours\n", "ours\n"]
    assert sorted(path.name for path in etc.iterdir()) == ["pxerelay.yml", "rules.d"]
    assert [path.name for path in host.top.glob("*.dpkg-dist")] == []


def test_a_package_that_dpkg_refuses_is_told(host: Host) -> None:
    path = host.install("one", _deb(host.top))
    (path / "pxerelay.deb").unlink()
    with pytest.raises(FailedError, match=r"one can not be installed\.\nthere is no such archive"):
        host.call("make_current", name="one")
    assert not (host.home / "current").is_symlink()


def test_apt_is_asked_again_with_fresh_lists_and_its_last_word_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter(["E: Unable to locate package pxerelay", "", "E: Failed to fetch it"])

    def run(argv: list[str], *_: Any) -> tuple[int, str, str]:
        asked.append(" ".join(argv[argv.index("apt-get") + 4 :]))
        told = next(answers)
        return (100 if told else 0), "", told

    monkeypatch.setattr(package, "run", run)
    with pytest.raises(package.PackageError, match=r"^E: Failed to fetch it$"):
        package.make(str(tmp_path), "pxerelay=1.0.0")
    assert asked == ["download pxerelay=1.0.0", "update", "download pxerelay=1.0.0"]


def test_the_build_is_known_by_its_octets_and_named_by_its_version(tmp_path: Path) -> None:
    file = tmp_path / "pxerelay_1.0.0-1_all.deb"
    names = []
    for text in ("one", "other"):
        file.write_text(text)
        found = build.packaged(str(file))
        assert found["deb"] == str(file)
        names.append(found["name"])
    assert names[0] != names[1]
    assert all(name.startswith("deb-1.0.0-1-") for name in names)


@pytest.mark.parametrize(
    "name", ["gone_1_all.deb", "pxerelay.deb", "dnsmasq_2_all.deb", "pxerelay_1_all.whl"]
)
def test_what_is_no_package_is_told_before_a_host_is_touched(name: str, tmp_path: Path) -> None:
    if not name.startswith("gone"):
        (tmp_path / name).touch()
    with pytest.raises(AnsibleLookupError, match=rf"pxerelay_deb: .*{name} is no package of pxerelay"):
        build.packaged(str(tmp_path / name))
