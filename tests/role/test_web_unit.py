"""The page's unit, as the role, the Debian package and docs/web.md have it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from release import deb
from tests.lab.command import REPOSITORY


def test_the_page_about_it_has_it_as_it_is() -> None:
    (shown,) = re.findall(r"```ini\n(.+?)```", (REPOSITORY / "docs/web.md").read_text(), re.DOTALL)
    unit = deb.service("pxerelay-web", **deb.BY_HAND).partition("\n")[2]
    assert shown.partition("\n")[2] == unit.rstrip("\n") + "\n"


@pytest.mark.parametrize(
    ("reach", "port", "lines", "others"),
    [
        (
            "socket",
            "",
            {
                "PrivateNetwork=true",
                "RestrictAddressFamilies=AF_UNIX",
                "IPAddressDeny=any",
                "SocketBindDeny=any",
            },
            {"SocketBindAllow", "IPAddressAllow"},
        ),
        (
            "host",
            "8067",
            {
                "SocketBindDeny=any",
                "SocketBindAllow=tcp:8067",
                "IPAddressDeny=any",
                "IPAddressAllow=localhost",
            },
            {"PrivateNetwork"},
        ),
        ("any", "", {"SocketBindDeny=any"}, {"PrivateNetwork", "SocketBindAllow", "IPAddressDeny"}),
        ("any", "any", set(), {"PrivateNetwork", "SocketBindDeny", "IPAddressDeny"}),
    ],
)
def test_it_reaches_no_more_than_it_is_to(reach: str, port: str, lines: set[str], others: set[str]) -> None:
    told = deb.service("pxerelay-web", __pxerelay_web_reach=reach, __pxerelay_web_port=port).splitlines()
    assert lines <= set(told)
    assert not others & {line.partition("=")[0] for line in told}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize(("reach", "threshold"), [("socket", 8), ("host", 15), ("any", 15)])
def test_systemd_counts_it_as_little_exposed(reach: str, threshold: int, tmp_path: Path) -> None:
    unit = tmp_path / "pxerelay-web.service"
    unit.write_text(deb.service("pxerelay-web", __pxerelay_web_reach=reach, __pxerelay_web_port="8067"))
    words = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={threshold}"]
    done = subprocess.run([*words, unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
