"""The Debian package: apt installs it in a fresh host, clients boot, purge leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from release import deb
from tests.lab.command import run
from tests.lab.image import fresh
from tests.release.host import Host, booted
from tests.release.readme import commands

RELEASES = ("bookworm", "trixie")
WITH = (
    "autopkgtest", "dbus", "dnsmasq-base", "dpkg-dev", "iproute2", "procps", "systemd", "systemd-sysv",
    "udhcpc",
)  # fmt: skip
"""What the host has: no Python module of ours is among it."""

PAGE = ("python3-jinja2", "python3-starlette", "python3-uvicorn")
"""What the page needs besides: apt has them at hand, and installs them where they are asked for."""

GROWS = (
    "/proc", "/sys", "/dev", "/run", "/srv", "/tmp",  # noqa: S108
    "/usr/share/autopkgtest", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg",
)  # fmt: skip
"""Where a package manager keeps its own books."""


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


def test_it_relays_once_one_file_is_edited_and_purge_leaves_nothing(
    host: Host, package: Path, built: Path, tmp_path: Path
) -> None:
    """The package's own test (autopkgtest) does the middle part."""
    before = host.files(*GROWS)
    users = host.run("cat", "/etc/passwd", "/etc/group").stdout
    host.run("apt-get", "install", "--yes", "--no-install-recommends", f"/srv/{package.name}")
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
    host.run("apt-get", "purge", "--yes", "pxerelay")
    host.run("apt-get", "autoremove", "--yes", "--purge")
    assert host.files(*GROWS) - before == set()
    assert host.run("cat", "/etc/passwd", "/etc/group").stdout == users


def test_an_upgrade_restarts_what_is_enabled_and_keeps_the_mapping(host: Host, package: Path) -> None:
    host.run("apt-get", "install", "--yes", "--no-install-recommends", f"/srv/{package.name}")
    host.run("sed", "-i", "s/192.0.2.10/10.20.0.10/", "/etc/pxerelay/pxerelay.yml")
    host.run("systemctl", "enable", "--now", "pxerelay")
    first = host.run("systemctl", "show", "--property=MainPID", "pxerelay").stdout
    host.run("apt-get", "install", "--yes", "--reinstall", f"/srv/{package.name}")
    assert host.run("systemctl", "show", "--property=MainPID", "pxerelay").stdout != first
    assert "ris: 10.20.0.10" in host.run("cat", "/etc/pxerelay/pxerelay.yml").stdout
    assert host.run("pxerelay", "status").returncode == 0


def test_the_page_needs_three_packages_and_one_command(host: Host, package: Path) -> None:
    assert set(PAGE) <= set(deb.depends("Suggests"))
    host.run("apt-get", "install", "--yes", "--no-install-recommends", f"/srv/{package.name}")
    assert host.run("systemctl", "is-enabled", "pxerelay-web", check=False).stdout == "disabled\n"
    assert host.run("pxerelay", "web", "--check").stdout == ""
    done = host.run("pxerelay", "web", check=False)
    assert (done.returncode, done.stderr.count("install pxerelay[web], or python3-")) == (2, 1)
    host.run("sed", "-i", "s/192.0.2.10/10.20.0.10/", "/etc/pxerelay/pxerelay.yml")
    host.run("systemctl", "enable", "--now", "pxerelay")
    host.run("apt-get", "install", "--yes", "--no-install-recommends", *PAGE)
    host.run("systemctl", "enable", "--now", "pxerelay-web")
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8067/api/v1/search?q=02:00:00:00:00:01').read())"
    assert "10.20.0.10" in host.run("python3", "-c", ask).stdout
    host.run("apt-get", "purge", "--yes", "pxerelay")
    assert "pxerelay" not in host.run("cat", "/etc/passwd", "/etc/group").stdout


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
