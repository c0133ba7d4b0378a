"""What all commands have in common: how their output is chosen, and with what they exit."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from pxerelay.cli import COMMANDS, main, parser
from pxerelay.commands.common import EXITS, FAILED, OK

PAGE = Path(__file__).parents[3] / "docs/commands.md"


def commands() -> dict[str, argparse.ArgumentParser]:
    (below,) = (one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))
    return dict(below.choices)


@pytest.mark.parametrize("command", COMMANDS)
def test_one_command_alone_has_the_same_arguments(command: str) -> None:
    """Only the module of the command that was asked for is imported, and it is the right one."""
    (below,) = (one for one in parser(command)._actions if isinstance(one, argparse._SubParsersAction))
    assert {name for name, module in COMMANDS.items() if module == COMMANDS[command]} == below.choices.keys()
    assert below.choices[command].format_help() == commands()[command].format_help()


def test_an_unknown_command_is_told_all_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["statsu"], ["--nonsense", "run"], []):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == FAILED
    said = capsys.readouterr().err
    assert f"(choose from {', '.join(map(repr, COMMANDS))})" in said or ", ".join(COMMANDS) in said


WITH_FORMATS = {
    "check": (),
    "explain": ("00:11:22:33:44:55",),
    "diff": ("a.yml", "b.yml"),
    "replay": ("boot.pcap",),
    "status": (),
    "unknown": (),
    "trace": ("00:11:22:33:44:55",),
    "probe": ("00:11:22:33:44:55",),
    "doctor": (),
}
"""Commands that print something for programs too, and what they can't do without."""


def test_no_command_has_only_one_of_format_and_json() -> None:
    for option in ("--format", "--json"):
        having = {name for name, one in commands().items() if option in one._option_string_actions}
        assert having == WITH_FORMATS.keys(), option


@pytest.mark.parametrize("command", WITH_FORMATS)
def test_json_is_short_for_format_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole, needed = parser(), [command, *WITH_FORMATS[command]]
    for options, expected in (
        ([], "text"),
        (["--format", "text"], "text"),
        (["--json"], "json"),
        (["--format", "json"], "json"),
        (["--json", "--format", "json"], "json"),
        (["--format", "text", "--format", "json"], "json"),
    ):
        assert whole.parse_args([*needed, *options]).format == expected, options
    for options in (["--json", "--format", "text"], ["--format", "text", "--json"]):
        with pytest.raises(SystemExit) as ended:
            main([*needed, *options])
        assert ended.value.code == 2
        assert "--json is short for --format json: leave it out, or --format text" in capsys.readouterr().err
    assert "short for --format json" in " ".join(commands()[command].format_help().split())


def test_a_live_table_has_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--watch", "--json"]) == 2
    assert capsys.readouterr().err == "--watch is a table for people: it goes without --json\n"


def test_each_command_declares_with_what_it_exits() -> None:
    for name, command in commands().items():
        exits = command.get_default("exits")
        assert {OK, FAILED} <= exits.keys() <= EXITS.keys(), name
        for code, meaning in exits.items():
            assert f"\n  {code}  {meaning}\n" in command.format_help(), name


def test_the_page_of_commands_has_the_same_exit_codes() -> None:
    (table,) = re.findall(r"^\| command \| 0 .*\n(?:\|.*\n)+", PAGE.read_text("utf-8"), re.MULTILINE)
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    assert head[1:] == list(map(str, EXITS))
    told: dict[str, dict[int, str]] = {}
    for names, *cells in rows:
        codes = {int(code): cell.replace("`", "") for code, cell in zip(head[1:], cells, strict=True) if cell}
        told |= dict.fromkeys(re.findall(r"`(.+?)`", names), codes)
    assert told == {name: command.get_default("exits") for name, command in commands().items()}
