"""The examples of docs/web.md for reverse proxies, as they stand there, with another place to listen."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.command import REPOSITORY
from tests.lab.daemon import PXERELAY
from tests.lab.page import free_port
from tests.web.scene import BOOTING, Scene

DOCS = (REPOSITORY / "docs" / "web.md").read_text("utf-8")

LOGIN = base64.b64encode(b"help-desk:secret").decode()


def example(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", DOCS, re.DOTALL)
    assert found, kind
    return found[1]


@pytest.fixture
def behind(shown: Scene, tmp_path: Path) -> Iterator[Path]:
    """Serve the page at a Unix socket."""
    path, config = tmp_path / "web.sock", tmp_path / "web.yml"
    config.write_text(f"listen: {path}\n")
    command = [*PXERELAY, "web", "--config", str(config), "--socket", str(shown.daemon.socket)]
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + 40
        while not path.exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        path.chmod(0o666)  # in the place of the group that the documentation tells of
        tmp_path.chmod(0o755)
        for folder in tmp_path.parents[:2]:
            folder.chmod(folder.stat().st_mode | 0o011)
        yield path
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    cert, key = tmp_path / "boot.pem", tmp_path / "boot.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@contextlib.contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        until = time.monotonic() + 40
        while True:
            try:
                asked(port, "/", "")
            except urllib.error.HTTPError:
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
            else:
                break
        yield
    finally:
        process.kill()  # Caddy would wait for connections that are idle
        process.wait(30)


def asked(port: int, path: str, login: str = LOGIN) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(f"https://localhost:{port}{path}")  # our own
    if login:
        request.add_header("Authorization", f"Basic {login}")
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:  # noqa: S310
        if path.startswith("/api/v1/follow"):
            line: bytes = answer.readline() + answer.readline()
            return line
        found: bytes = answer.read()
        return found


def shows_all(port: int) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        asked(port, "/now", "")
    assert b"<h1>Now</h1>" in asked(port, "/now")
    assert json.loads(asked(port, f"/api/v1/search?q={BOOTING}"))["client"]["mac"] == BOOTING
    assert b"listening to" in asked(port, f"/api/v1/follow/{BOOTING}")


def test_nginx(behind: Path, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    port, passwords = free_port(), tmp_path / "boot.passwords"
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True
    )
    passwords.write_text(f"help-desk:{hashed.stdout}")
    text = example("nginx")
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/boot.pem": str(certificate[0]),
        "/etc/ssl/boot.key": str(certificate[1]),
        "/etc/nginx/boot.passwords": str(passwords),
        "/run/pxerelay-web/web.sock": str(behind),
    }.items():
        assert old in text
        text = text.replace(old, new)
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/nginx.pid;\nerror_log {tmp_path}/error.log;\ndaemon off;\nuser root;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{text}\n}}\n"
    )
    with running(["nginx", "-c", str(config), "-p", str(tmp_path)], port):
        shows_all(port)


def test_caddy(behind: Path, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    port = free_port()
    text = example("caddy")
    for old, new in {
        "boot.example.net {": f"https://localhost:{port} {{\n    tls {certificate[0]} {certificate[1]}",
        "/run/pxerelay-web/web.sock": str(behind),
    }.items():
        assert old in text
        text = text.replace(old, new)
    config = tmp_path / "Caddyfile"
    config.write_text(f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{text}")
    hashing = ["caddy", "hash-password", "--plaintext", "secret"]
    hashed = subprocess.run(hashing, check=True, capture_output=True, text=True).stdout.strip()
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
    with running(command, port, BOOT_PASSWORD_HASH=hashed, **home):
        shows_all(port)
