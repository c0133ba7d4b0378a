"""`pxerelay web` where the page, or what it needs, is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pxerelay.cli import main


def test_packages_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "web.yml"
    config.write_text("listen: 127.0.0.1:8067\n")
    monkeypatch.delitem(sys.modules, "pxerelay.web.serve", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["web", "--config", str(config)]) == 2
    assert "pxerelay web needs uvicorn: install pxerelay[web], or python3-uvicorn" in capsys.readouterr().err


def test_a_certificate_that_can_not_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, garbage, key = tmp_path / "web.yml", tmp_path / "boot.pem", tmp_path / "boot.key"
    for text, reason in ((None, "No such file"), ("no certificate\n", "PEM")):
        if text:
            garbage.write_text(text)
            key.write_text(text)
        config.write_text(f"listen: 127.0.0.1:8067\ntls: {{certificate: {garbage}, key: {key}}}\n")
        assert main(["web", "--config", str(config)]) == 1
        told = capsys.readouterr().err
        assert f"`tls:` can't be used: {garbage} and {key} must be a certificate and its key" in told
        assert reason in told


def test_a_package_without_the_page_says_how_to_have_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pxerelay.web", None)
    assert main(["web"]) == 2
    assert "has no page; install pxerelay[web] by pip" in capsys.readouterr().err


def test_the_daemons_socket_is_asked_for_whatever_folder_the_unit_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/pxerelay-web")
    with pytest.raises(SystemExit):
        main(["web", "--help"])
    assert "control socket; default: /run/pxerelay/control.sock" in " ".join(capsys.readouterr().out.split())
