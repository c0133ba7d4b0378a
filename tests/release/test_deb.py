"""The Debian package: apt installs it in a fresh host, clients boot, purge leaves nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from release import deb, source
from tests.lab.command import run
from tests.lab.image import PAGE, fresh
from tests.release.host import Host, booted
from tests.release.readme import commands

RELEASES = ("bookworm", "trixie")
WITH = (
    "autopkgtest", "dbus", "dnsmasq-base", "dpkg-dev", "iproute2", "procps", "systemd", "systemd-sysv",
    "udhcpc",
)  # fmt: skip
"""What the host has: no Python module of ours is among it."""

GROWS = (
    "/proc", "/sys", "/dev", "/run", "/srv", "/tmp",  # noqa: S108
    "/usr/share/autopkgtest", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg",
)  # fmt: skip
"""Where a package manager keeps its own books."""


EARLIER = "0.9.0"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package; return the folder that has it."""
    folder = tmp_path_factory.mktemp("deb")
    deb.build(folder)
    return folder


@pytest.fixture(scope="session")
def package(built: Path) -> Path:
    """Return the package's file."""
    (found,) = built.glob("*.deb")
    return found


@pytest.fixture(params=RELEASES)
def host(request: pytest.FixtureRequest, package: Path) -> Iterator[Host]:
    """Have a host up that has the package's file, and apt no network."""
    image = fresh(request.param, WITH, [*deb.depends(), *PAGE, "python3"])
    with booted(f"pxr-deb-{request.param}", image) as up:
        up.copy(package, f"/srv/{package.name}")
        yield up


def test_lintian_finds_nothing(built: Path) -> None:
    (changes,) = built.glob("*.changes")
    run(["lintian", "--fail-on", "error,warning", "--allow-root", str(changes)])


def test_it_is_built_again_octet_by_octet(package: Path, tmp_path: Path) -> None:
    deb.build(tmp_path)
    assert (tmp_path / package.name).read_bytes() == package.read_bytes()


def install(host: Host, *what: str) -> None:
    """Install packages, or a package's file, as an administrator does."""
    host.run("apt-get", "install", "--yes", "--no-install-recommends", *what)


def enabled(host: Host) -> None:
    """Edit the one file, and have the relay run."""
    host.run("sed", "-i", "s/192.0.2.10/10.20.0.10/", "/etc/pxerelay/pxerelay.yml")
    host.run("systemctl", "enable", "--now", "pxerelay")


def page_enabled(host: Host) -> None:
    """Have the page run."""
    install(host, *PAGE)
    host.run("systemctl", "enable", "--now", "pxerelay-web")


def page_of(host: Host) -> str:
    """Return what the page says of a client."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8067/api/v1/search?q=02:00:00:00:00:01').read())"
    return host.run("python3", "-c", ask).stdout


def pids(host: Host) -> list[str]:
    """Return the processes of the two services, 0 for one that does not run."""
    show = ("systemctl", "show", "--property=MainPID", "--value")
    return [host.run(*show, unit).stdout.strip() for unit in ("pxerelay", "pxerelay-web")]


def left(host: Host) -> str:
    """Return what is left of the package beside what `files` sees: units, and what services make."""
    units = host.run("systemctl", "list-unit-files", "--no-legend", "*pxerelay*", check=False).stdout
    own = ("-path", "/run/systemd", "-prune", "-o")
    name = ("-name", "*pxerelay*", "-print")
    return units + host.run("find", "/run", "/var/log", "/var/cache", "-xdev", *own, *name).stdout


def test_what_it_depends_on_is_of_that_release(host: Host) -> None:
    """The hosts know no other, so that apt would not install it."""
    (codename,) = [name for name in RELEASES if name in host.name]
    known = host.run("apt-get", "indextargets", "--format", "$(CODENAME)").stdout.split()
    assert {name.partition("-")[0] for name in known} == {codename}


def test_it_relays_once_one_file_is_edited_and_purge_leaves_nothing(
    host: Host, package: Path, built: Path, tmp_path: Path
) -> None:
    """The package's own test (autopkgtest) does the middle part."""
    before = host.files(*GROWS)
    users = host.run("cat", "/etc/passwd", "/etc/group").stdout
    install(host, f"/srv/{package.name}")
    assert host.run("pxerelay", "check").stdout == ""
    assert host.run("systemctl", "is-enabled", "pxerelay", check=False).stdout == "disabled\n"
    (archive,) = built.glob("*.tar.xz")
    run(["tar", "--extract", "--file", str(archive), "--directory", str(tmp_path)])
    host.copy(tmp_path / archive.name.replace("_", "-").removesuffix(".tar.xz"), "/srv/source")
    words = (
        "autopkgtest",
        "--ignore-restrictions=isolation-container",
        "--no-built-binaries",
        "/srv/source/",
        f"/srv/{package.name}",
        "--",
        "null",
    )
    done = host.run(*words, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^relays +PASS$", done.stdout, re.MULTILINE), done.stdout
    host.run("apt-get", "purge", "--yes", "pxerelay")
    host.run("apt-get", "autoremove", "--yes", "--purge")
    assert host.files(*GROWS) - before == set()
    assert host.run("cat", "/etc/passwd", "/etc/group").stdout == users
    assert left(host) == ""


def earlier(package: Path, folder: Path) -> Path:
    """Make a package as there may have been one before: another version, with other examples."""
    tree = folder / "earlier"
    run(["dpkg-deb", "--raw-extract", str(package), str(tree)])
    for path, was, then in (
        (tree / "DEBIAN/control", f"Version: {source.version()}\n", f"Version: {EARLIER}\n"),
        (
            tree / "usr/lib/python3/dist-packages/pxerelay/__init__.py",
            f'__version__ = "{source.version()}"\n',
            f'__version__ = "{EARLIER}"\n',
        ),
        (tree / "etc/pxerelay/pxerelay.yml", "rules: {}\n", "rules: {}  # none yet\n"),
        (tree / "etc/pxerelay-web.yml", "\nlisten: ", "\n# where it is served\nlisten: "),
    ):
        text = path.read_text()
        assert text.count(was) == 1, path
        path.write_text(text.replace(was, then))
    made = folder / f"pxerelay_{EARLIER}_all.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)])
    return made


def test_an_upgrade_restarts_what_is_enabled_and_keeps_the_mapping(
    host: Host, package: Path, tmp_path: Path
) -> None:
    old = earlier(package, tmp_path)
    host.copy(old, f"/srv/{old.name}")
    install(host, f"/srv/{old.name}")
    enabled(host)
    page_enabled(host)
    assert json.loads(host.run("pxerelay", "status", "--json").stdout)["version"] == EARLIER
    first = pids(host)
    install(host, "--option=Dpkg::Options::=--force-confold", f"/srv/{package.name}")
    assert not {*pids(host)} & {"0", *first}
    assert json.loads(host.run("pxerelay", "status", "--json").stdout)["version"] == source.version()
    assert "ris: 10.20.0.10" in host.run("cat", "/etc/pxerelay/pxerelay.yml").stdout
    assert "10.20.0.10" in page_of(host)
    states = host.run("systemctl", "is-enabled", "pxerelay", "pxerelay-web").stdout
    assert states == "enabled\nenabled\n"
    install(host, "--reinstall", f"/srv/{package.name}")
    assert "ris: 10.20.0.10" in host.run("cat", "/etc/pxerelay/pxerelay.yml").stdout
    assert host.run("pxerelay", "status").returncode == 0


def test_an_upgrade_enables_and_starts_nothing_by_itself(host: Host, package: Path, tmp_path: Path) -> None:
    old = earlier(package, tmp_path)
    host.copy(old, f"/srv/{old.name}")
    install(host, f"/srv/{old.name}")
    install(host, f"/srv/{package.name}")
    assert pids(host) == ["0", "0"]
    states = host.run("systemctl", "is-enabled", "pxerelay", "pxerelay-web", check=False).stdout
    assert states == "disabled\ndisabled\n"


def test_the_page_needs_three_packages_and_one_command_and_purge_leaves_nothing(
    host: Host, package: Path
) -> None:
    assert set(PAGE) <= set(deb.depends("Suggests"))
    before = host.files(*GROWS)
    users = host.run("cat", "/etc/passwd", "/etc/group").stdout
    install(host, f"/srv/{package.name}")
    assert host.run("systemctl", "is-enabled", "pxerelay-web", check=False).stdout == "disabled\n"
    assert host.run("pxerelay", "web", "--check").stdout == ""
    done = host.run("pxerelay", "web", check=False)
    assert (done.returncode, done.stderr.count("install pxerelay[web], or python3-")) == (2, 1)
    enabled(host)
    page_enabled(host)
    assert "10.20.0.10" in page_of(host)
    host.run("apt-get", "purge", "--yes", "pxerelay", *PAGE)
    host.run("apt-get", "autoremove", "--yes", "--purge")
    assert host.files(*GROWS) - before == set()
    assert host.run("cat", "/etc/passwd", "/etc/group").stdout == users
    assert left(host) == ""


EDITOR = """\
#!/bin/sh
sed -i 's/192.0.2.10/10.20.0.10/' "$1"
"""


def test_what_the_readme_says_is_all_that_it_takes(host: Host, package: Path, tmp_path: Path) -> None:
    first, *others = commands("As a Debian package")
    assert first == "make deb"
    (tmp_path / "editor").write_text(EDITOR)
    (tmp_path / "editor").chmod(0o755)
    host.copy(tmp_path / "editor", "/usr/local/bin/editor")
    host.run("mkdir", "/srv/dist")
    host.run("cp", f"/srv/{package.name}", "/srv/dist")
    for line in others:
        host.run("sh", "-c", f"cd /srv && yes | {line}")
    assert "10.20.0.10" in host.run("pxerelay", "status").stdout
