"""Builds of the daemon: what tells one from another, how it gets to a host, and what links lead to it."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError

from tests.role.modules import FailedError, Module, plugin

build = plugin("lookup.build")
action = plugin("action.release")
release = plugin("modules.release")
facts = plugin("modules.facts")


def _wheel(folder: Path, name: str = "pxerelay-1.0.0-py3-none-any.whl", text: str = "wheel") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / name
    wheel.write_text(text)
    return wheel


def _name(wheel: Path, wheelhouse: Path | str = "", lock: Path | str = "") -> str:
    found: dict[str, str] = build.build("/nowhere", str(wheel), str(wheelhouse), str(lock))
    return found["name"]


def test_another_dependency_is_another_build(tmp_path: Path) -> None:
    wheel, house = _wheel(tmp_path), tmp_path / "house"
    _wheel(house, "rich-13-py3-none-any.whl")
    names = [_name(wheel), _name(wheel, house)]
    _wheel(house, "rich-14-py3-none-any.whl")
    names.append(_name(wheel, house))
    (tmp_path / "lock").write_text("rich==14 --hash=sha256:00\n")
    names.append(_name(wheel, lock=tmp_path / "lock"))
    names.append(_name(_wheel(tmp_path, text="another")))
    assert len(set(names)) == 5
    assert all(name.startswith("1.0.0-") for name in names)
    assert _name(wheel, house) == _name(wheel, house)


def test_a_wheelhouse_from_before_the_page_is_refused(tmp_path: Path) -> None:
    wheel, house = _wheel(tmp_path), tmp_path / "house"
    _wheel(house, "rich-14-py3-none-any.whl")
    lock = tmp_path / "requirements-web.lock"
    (house / "requirements.lock").write_text("rich==14 --hash=sha256:00\n")
    with pytest.raises(AnsibleLookupError, match=r"has no requirements-web[.]lock; make it anew"):
        _name(wheel, house, lock)
    without = _name(wheel, house, tmp_path / "requirements.lock")
    (house / "requirements-web.lock").write_text("rich==14 --hash=sha256:00\nuvicorn==1 --hash=sha256:00\n")
    assert build.build("/nowhere", str(wheel), str(house), str(lock))["lock"] == str(house / lock.name)
    assert _name(wheel, house, lock) != without


@pytest.mark.parametrize(
    ("wheel", "house", "said"),
    [
        ("no.whl", "", "pxerelay_wheel: .*no.whl is no wheel on the control machine"),
        ("", "gone", "pxerelay_wheelhouse: there is no folder .*gone on the control machine"),
        ("", "", "is not a checkout of pxerelay"),
    ],
)
def test_what_is_not_there_is_told_before_a_host_is_touched(
    wheel: str, house: str, said: str, tmp_path: Path
) -> None:
    named = str(tmp_path / wheel) if wheel else ""
    folder = str(tmp_path / house) if house else ""
    if house:
        named = str(_wheel(tmp_path))
    with pytest.raises(AnsibleLookupError, match=said):
        build.build(str(tmp_path), named, folder, "")


def test_an_archive_is_made_once_and_checked_where_it_arrives(tmp_path: Path) -> None:
    files = action.members(str(_wheel(tmp_path)), None, None)
    archive = action.archived(files, str(tmp_path))
    before = Path(archive).stat().st_ino
    assert action.archived(files, str(tmp_path)) == archive
    assert Path(archive).stat().st_ino == before
    there = tmp_path / "there"
    there.mkdir()
    release.unpacked(archive, str(there))
    assert {path.name for path in there.iterdir()} == {"pxerelay-1.0.0-py3-none-any.whl", "SHA256SUMS"}

    damaged = tmp_path / "damaged.tar"
    (there / "pxerelay-1.0.0-py3-none-any.whl").write_text("other")
    with tarfile.open(damaged, "w") as tar:
        for path in there.iterdir():
            tar.add(path, path.name)
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(release.InstallError, match=r"damaged on its way: pxerelay-1\.0\.0"):
        release.unpacked(str(damaged), str(again))


@pytest.mark.parametrize("name", ["../evil.whl", "/evil.whl", "folder/evil.whl"])
def test_an_archive_writes_nowhere_else(name: str, tmp_path: Path) -> None:
    file = _wheel(tmp_path)
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        about = tarfile.TarInfo(name)
        about.size = file.stat().st_size
        with file.open("rb") as octets:
            tar.addfile(about, octets)
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(release.InstallError, match="files only"):
        release.unpacked(str(tmp_path / "evil.tar"), str(target))
    assert not (tmp_path / "evil.whl").exists()
    assert not list(target.iterdir())


class Host:
    """A relay host's folders below one."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.home = top / "opt"
        self.link = top / "bin" / "pxerelay"
        self.man = top / "man"

    def call(self, what: str, *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        """Call the module, as `install`, `make_current` or `unlink`."""
        params = {
            "home": str(self.home),
            "link": str(self.link),
            "man": str(self.man),
            "name": "one",
            "requirement": "pxerelay",
            "wheel": None,
            "wheelhouse": None,
            "lock": None,
            "deb": None,
            "package": None,
            "archive": None,
            "python": "python3",
            "system_packages": False,
            "pip_args": [],
            **more,
        }
        module = release.Release(Module(params, check_mode=check_mode))
        getattr(module, what)()
        result: dict[str, Any] = module.result
        return result

    def build(self, name: str, *pages: str) -> Path:
        """Have a build be there that has these pages."""
        path = self.home / "releases" / name
        for page in pages:
            (path / "share" / "man" / page).parent.mkdir(parents=True, exist_ok=True)
            (path / "share" / "man" / page).touch()
        (path / "bin").mkdir(parents=True, exist_ok=True)
        return path

    def links(self) -> dict[str, str]:
        """Return all links of the host by path, with what they lead to."""
        found = [path for top in (self.link.parent, self.man) for path in top.rglob("*") if path.is_symlink()]
        return {str(path.relative_to(self.top)): str(path.readlink()) for path in found}


def test_links_follow_the_current_build(tmp_path: Path) -> None:
    host = Host(tmp_path)
    one = host.build("one", "man1/pxerelay.1", "man1/pxerelay-old.1", "man5/pxerelay.yml.5")
    two = host.build("two", "man1/pxerelay.1")
    assert host.call("make_current", check_mode=True)["changed"]
    assert not host.links()
    first = host.call("make_current")
    assert (first["changed"], first["switched"], str((host.home / "current").readlink())) == (
        True,
        True,
        str(one),
    )
    current = f"{host.home}/current"
    assert host.links() == {
        "bin/pxerelay": f"{current}/bin/pxerelay",
        "man/man1/pxerelay.1": f"{current}/share/man/man1/pxerelay.1",
        "man/man1/pxerelay-old.1": f"{current}/share/man/man1/pxerelay-old.1",
        "man/man5/pxerelay.yml.5": f"{current}/share/man/man5/pxerelay.yml.5",
    }
    assert not host.call("make_current")["changed"]
    others = host.man / "man1" / "pxerelay-mine.1"
    others.symlink_to("/home/me/pxerelay-mine.1")
    second = host.call("make_current", name="two")
    assert (second["switched"], str((host.home / "current").readlink())) == (True, str(two))
    assert sorted(host.links()) == ["bin/pxerelay", "man/man1/pxerelay-mine.1", "man/man1/pxerelay.1"]
    assert host.call("unlink", name=None)["changed"]
    assert sorted(host.links()) == ["man/man1/pxerelay-mine.1"], "not ours"
    assert not host.call("unlink", name=None)["changed"]


def test_a_build_that_can_not_be_installed_leaves_nothing(tmp_path: Path) -> None:
    host = Host(tmp_path)
    wheel = _wheel(tmp_path, "pxerelay-9.9.9-py3-none-any.whl", "no wheel")
    archive = action.archived({wheel.name: wheel}, str(tmp_path))
    with pytest.raises(FailedError) as failed:
        host.call("install", wheel=str(wheel), archive=archive, pip_args=["--no-index"])
    assert str(failed.value).startswith(
        "pxerelay-9.9.9-py3-none-any.whl can not be installed; the host goes on with what it has.\n"
    )
    assert "pxerelay-9.9.9-py3-none-any.whl" in str(failed.value).split("\n", 1)[1]
    assert not (host.home / "releases" / "one").exists()


def test_nothing_is_done_in_check_mode(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.call("install", check_mode=True)["changed"]
    assert not host.home.exists()


@pytest.mark.parametrize(
    ("text", "family", "major"),
    [
        ('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n', "Debian", "12"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', "Debian", "24"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n', "RedHat", "9"),
        ("ID=fedora\nVERSION_ID=41\n", "RedHat", "41"),
        ("ID=alpine\n", "", ""),
    ],
)
def test_a_host_says_what_it_is(text: str, family: str, major: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(text)
    found = facts.operating_system(str(tmp_path / "os-release"))
    assert (found["family"], found["major"]) == (family, major)
