"""Commands, their output and their exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pxerelay import __version__
from pxerelay.cli import main
from pxerelay.config.load import load

CONFIG = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris, pxe_only: true}
rules:
  52:54:00:12:34:56: altiris
  52:54:00:*: ris
  de:ad:be:ef:00:01: drop
classes:
  - {name: arm64, arch: [11], server: altiris}
include: rules.d/*.yml
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pxerelay.yml"
    path.write_text(CONFIG)
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "more.yml").write_text("rules:\n  00-80-64: altiris\n")
    return path


def test_check_says_nothing_of_a_good_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(CONFIG.replace(", pxe_only: true", ""))
    assert main(["check", str(config)]) == 0
    assert capsys.readouterr().out == ""


def test_check_shows_every_fault_of_every_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = config.with_name("bad.yml")
    bad.write_text("defalt: 10.0.0.1\n")
    assert main(["check", str(config), str(bad)]) == 1
    out = capsys.readouterr().out
    assert f"{bad}:1:1: unknown key 'defalt'; did you mean 'default'?\n    defalt: 10.0.0.1\n    ^\n" in out
    assert "the key 'default' is missing" in out


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("{folder}/", "{folder}/ is a folder's path; write a socket's, such as {right}"),
        ("{folder}/..", "{folder}/.. is a folder's path; write a socket's, such as {right}"),
        ("{folder}", "a folder is at {folder}; write a path of its own, such as {right}"),
        (
            "{folder}/a",
            "something else than a socket is at {folder}/a; write a path of its own, such as {right}",
        ),
        (
            "{folder}/../run/control.sock",
            "{folder}/../run/control.sock is the daemon's control socket; "
            "write a path of its own, such as {right}",
        ),
        (f"/{'é' * 60}", f"/{'é' * 60} has 121 octets; write a path that has at most 107"),
        ("{folder}/metrics.sock", ""),
        ("{folder}/old.sock", ""),
        ("127.0.0.1:9967", ""),
    ],
)
def test_check_tells_where_metrics_can_have_no_socket(
    path: str,
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"folder": str(tmp_path / "run"), "right": "/run/pxerelay/metrics.sock"}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a").touch()
    monkeypatch.setenv("RUNTIME_DIRECTORY", names["folder"])
    file = tmp_path / "p.yml"
    path = path.format_map(names)
    file.write_text(f"servers: {{ris: 10.20.0.10}}\nmetrics: {path}\ndefault: riss\n")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{names['folder']}/old.sock")
        assert main(["check", str(file)]) == 1
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith(str(file))]
    told = [f"{file}:2:10: {fault.format_map(names)}"] if fault else []
    assert found == [*told, f"{file}:3:10: unknown server 'riss'; did you mean 'ris'?"]


def test_check_has_formats_for_programs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("default: rsi\nservers: {ris: 10.0.0.1}\n")
    assert main(["check", "--format", "json", str(config)]) == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding == {
        "file": str(config),
        "line": 1,
        "column": 10,
        "message": "unknown server 'rsi'; did you mean 'ris'?",
        "text": "default: rsi",
        "severity": "error",
        "code": "",
    }
    assert main(["check", "--format", "github", str(config)]) == 1
    line = capsys.readouterr().out
    assert line.startswith(f"::error file={config},line=1,col=10::unknown server 'rsi'")
    config.write_text(CONFIG.replace(", pxe_only: true", ""))
    assert main(["check", "--format", "json", str(config)]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_check_of_a_file_that_is_not_there_could_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path / "nope.yml")]) == 2
    assert "can't be read: No such file" in capsys.readouterr().out


def test_check_as_looks_includes_up_where_the_file_will_stand(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate = tmp_path / "elsewhere" / "candidate"
    candidate.parent.mkdir()
    candidate.write_text(CONFIG)
    assert main(["check", "--as", str(config), str(candidate)]) == 0
    (config.parent / "rules.d" / "more.yml").write_text("rules:\n  52-54-00-12-34-56: ris\n")
    assert main(["check", "--as", str(config), str(candidate)]) == 1
    assert f"has a rule as '52:54:00:12:34:56' in {config}:7 already" in capsys.readouterr().out


def test_explain_shows_whose_a_rule_is_and_what_has_ended(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = (
        "  52:54:00:99:*: {server: drop, owner: kiosk-team, until: 2001-12-31, note: never again}\n"
        "  52:54:00:99:99:*: {server: altiris, until: 2999-12-31}\n"
    )
    config.write_text(CONFIG.replace("classes:\n", rules + "classes:\n"))
    assert main(["explain", "52:54:00:99:00:01", "--config", str(config)]) == 0
    assert capsys.readouterr().out == (
        "52:54:00:99:00:01 -> ris 10.20.0.10\n"
        f"  ended  wildcard  52:54:00:99:*: drop  ({config}:10)\n"
        "                   owner: kiosk-team\n"
        "                   until: 2001-12-31\n"
        "                   note: never again\n"
        f"  wins   wildcard  52:54:00:*: ris  ({config}:8)\n"
        f"  lost   default   default: ris  ({config}:2)\n"
    )
    assert main(["explain", "52:54:00:99:99:01", "--config", str(config), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rule"], told["owner"], told["until"]) == ("52:54:00:99:99:*", None, "2999-12-31")
    (ended,) = told["ended"]
    assert (ended["owner"], ended["until"], ended["rule_note"]) == ("kiosk-team", "2001-12-31", "never again")
    assert [loser["rule"] for loser in told["lost"]] == ["52:54:00:*", "default"]


def test_explain_tells_the_winner_and_what_lost(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "5254.0012.3456", "--config", str(config), "--interface", "vlan20"]) == 0
    assert capsys.readouterr().out == (
        "52:54:00:12:34:56 -> altiris 10.20.0.20\n"
        f"  wins  mac                52:54:00:12:34:56: altiris  ({config}:7)\n"
        f"  lost  wildcard           52:54:00:*: ris  ({config}:8)\n"
        f"  lost  interface-default  vlan20: altiris  ({config}:5)\n"
        f"  lost  default            default: ris  ({config}:2)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "servers", "rule", "place", "reason"),
    [
        (["52:54:00:12:34:56"], ["10.20.0.20"], "52:54:00:12:34:56", "pxerelay.yml:7", "mac"),
        (["52:54:00:99:99:99"], ["10.20.0.10"], "52:54:00:*", "pxerelay.yml:8", "wildcard"),
        (["00:80:64:00:00:01"], ["10.20.0.20"], "00-80-64", "rules.d/more.yml:2", "oui"),
        (
            ["02:00:00:00:00:01", "--arch", "ARM 64-bit UEFI"],
            ["10.20.0.20"],
            "arm64",
            "pxerelay.yml:11",
            "class",
        ),
        (
            ["02:00:00:00:00:01", "--interface", "vlan20"],
            ["10.20.0.20"],
            "vlan20",
            "pxerelay.yml:5",
            "interface-default",
        ),
        (
            ["02:00:00:00:00:01", "--interface", "vlan10"],
            ["10.20.0.10"],
            "default",
            "pxerelay.yml:2",
            "default",
        ),
        (["de:ad:be:ef:00:01"], [], "de:ad:be:ef:00:01", "pxerelay.yml:9", "mac"),
    ],
)
def test_explain_as_json(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    servers: list[str],
    rule: str,
    place: str,
    reason: str,
) -> None:
    assert main(["explain", *arguments, "--config", str(config), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["mac"], told["servers"], told["rule"], told["reason"]) == (
        arguments[0],
        servers,
        rule,
        reason,
    )
    assert told["source"] == str(config.parent / place)


def test_explain_knows_pxe_only(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = [
        "explain",
        "02:00:00:00:00:01",
        "--config",
        str(config),
        "--interface",
        "vlan20",
        "--vendor-class",
        "",
    ]
    assert main(plain) == 0
    assert "-> dropped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "is no MAC"),
        (["00:80:64"], "not one address"),
        (["02:00:00:00:00:01", "--interface", "vlan30"], "means 'vlan30'; there are: vlan10, vlan20"),
        (["02:00:00:00:00:01", "--arch", "x64 uefii"], "did you mean 'x64 UEFI'"),
        (["02:00:00:00:00:01", "--arch", "70000"], "no architecture"),
    ],
)
def test_explain_of_nonsense_could_not_run(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["explain", *arguments, "--config", str(config)]) == 2
    assert says in capsys.readouterr().err


def test_explain_with_a_bad_file_could_not_run(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("default: nobody\n")
    assert main(["explain", "02:00:00:00:00:01", "--config", str(config)]) == 2
    assert "unknown server 'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["reload"]])
def test_without_a_daemon_the_exit_code_is_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main([*command, "--socket", str(tmp_path / "control.sock")]) == 3
    assert "no daemon answers" in capsys.readouterr().err


def test_run_with_a_bad_file_exits_with_2_and_tells_why(config: Path) -> None:
    config.write_text("default: nobody\n")
    done = subprocess.run(
        [sys.executable, "-m", "pxerelay", "run", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"<3>{config}:1:10: unknown server 'nobody'" in done.stderr


def test_the_socket_is_in_the_runtime_directory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pxerelay", "status"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RUNTIME_DIRECTORY": "/nonexistent/here"},
    )
    assert done.returncode == 3
    assert "/nonexistent/here/control.sock" in done.stderr


def test_the_digest_is_that_of_the_files_one_after_the_other(config: Path) -> None:
    files = [config, config.parent / "rules.d" / "more.yml"]
    loaded = load(config)
    assert loaded.sha256 == hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    assert loaded.files == {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"pxerelay {__version__}\n"


def pxerelay(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pxerelay", *map(str, arguments)]
    return subprocess.run(command, check=False, text=True, timeout=60, stderr=subprocess.PIPE, **options)


@pytest.fixture
def much_to_tell(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yml"
    path.write_text("".join(f"unknown{number}: 1\n" for number in range(3000)))
    return path


def test_nobody_reads_what_is_printed(much_to_tell: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = pxerelay("check", much_to_tell, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, "")


def test_there_is_no_room_for_what_is_printed(much_to_tell: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = pxerelay("check", much_to_tell, stdout=full)
    assert (done.returncode, done.stderr) == (2, "can't write the output: No space left on device\n")


def test_a_vendor_class_may_be_any_octets(config: Path) -> None:
    done = pxerelay(
        "explain",
        "02:00:00:00:00:01",
        "--config",
        config,
        "--vendor-class",
        b"\xff".decode("utf-8", "surrogateescape"),
        stdout=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", ["\N{FULLWIDTH DIGIT TWO}", "-1", "70000", "foo"])
def test_an_architecture_is_a_number_or_a_name(
    config: Path, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "02:00:00:00:00:01", "--config", str(config), f"--arch={number}"]) == 2
    complaint = (
        f"no architecture is named '{number}'; give a number or IANA's name, such as 7 or 'x64 UEFI'\n"
    )
    assert capsys.readouterr().err == complaint


@pytest.mark.parametrize("include", ["rules.d/**.yml", "a\0b", "a\0*", "/proc/1/map_files/*/*", "broken*"])
def test_what_can_not_be_looked_up_is_a_fault_of_the_file(config: Path, include: str) -> None:
    (config.parent / "broken.yml").symlink_to("nowhere")
    config.write_text(f"default: 10.0.0.1\ninclude: {json.dumps(include)}\n")
    done = pxerelay("check", config, stdout=subprocess.PIPE)
    if done.returncode or include == "rules.d/**.yml":  # what is no mistake here or there is none
        assert done.returncode == 1
        assert f"{config}:2:10: " in done.stdout
    assert done.stderr == ""
