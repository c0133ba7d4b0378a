"""A whole dhcrelay set-up: each option becomes a setting, or a comment that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.tools.importers.result import SAMPLES, Importer, Result, where

RIS, ALTIRIS = "10.20.0.10", "10.20.0.20"


def command(imports: Importer, line: str) -> Result:
    return imports("--dhcrelay", "--", *line.split())


def test_a_whole_command_line(imports: Importer) -> None:
    hosts = SAMPLES / "dhcrelay.hosts"
    line = f"dhcrelay -q -i vlan10 -id vlan20 -iu core -c 10 -a -m append -ch {hosts} {RIS} 10.20.0.11"
    result = command(imports, line)
    assert (result.code, result.err) == (0, "")
    loaded = result.loaded()
    config = loaded.config
    assert where(loaded, "02:00:00:10:00:01") == (ALTIRIS,)
    assert where(loaded, "02:00:00:99:00:01") == (RIS, "10.20.0.11")
    assert [entry.name for entry in config.interfaces] == ["vlan10", "vlan20"]
    assert config.max_hops == 9
    assert config.option82 is not None
    assert config.option82.circuit_id == "{interface}"
    for option in ("-q: nothing to set", "-iu core: nothing to set", "-m append: no counterpart"):
        assert f"# {option}" in result.out
    assert "# thin client 1, reception" in result.out


def test_the_defaults_file_is_a_complete_configuration(imports: Importer) -> None:
    config = imports(SAMPLES / "isc-dhcp-relay").loaded().config
    assert [entry.name for entry in config.interfaces] == ["vlan10", "vlan20", "core"]
    assert config.max_hops == 7
    assert config.option82 is not None


@pytest.mark.parametrize(
    ("options", "hops"), [("", 9), ("-c 1", 1), ("-c 2", 1), ("-c 17", 16), ("-c 255", 16)]
)
def test_hops_are_those_that_dhcrelay_let_pass(options: str, hops: int, imports: Importer) -> None:
    """Dhcrelay drops what has reached the count, we drop what is above it."""
    assert command(imports, f"-i vlan10 {options} {RIS}").loaded().config.max_hops == hops


def test_without_interfaces_it_listens_everywhere(imports: Importer) -> None:
    result = command(imports, RIS)
    assert '  "*": {}  # dhcrelay without -i listens everywhere' in result.out
    assert result.loaded().config.setting_for("vlan10") is not None


def test_link_selection(imports: Importer) -> None:
    result = command(imports, f"-id vlan10 -U lo1 {RIS}")
    option82 = result.loaded().config.option82
    assert option82 is not None
    assert option82.link_selection
    assert (
        "# -U lo1: link_selection. For giaddr to be the address of lo1, write giaddr: ADDRESS" in result.out
    )


@pytest.mark.parametrize(
    "option",
    [
        "-4",
        "-d",
        "-D",
        "--no-pid",
        "-p 67",
        "-rp 1067",
        "-pf /run/x",
        "-A 1400",
        "-g 10.0.0.1",
        *(f"-m {mode}" for mode in ("append", "replace", "forward", "discard")),
    ],
)
def test_an_option_without_a_counterpart_is_a_comment(option: str, imports: Importer) -> None:
    result = command(imports, f"-i vlan10 {option} {RIS}")
    assert result.code == 0
    assert f"\n# {option}: no" in result.out
    result.loaded()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"-i vlan10 -Z {RIS}", "command line:1:11: '-Z' is no option of dhcrelay 4.4"),
        (f"--nopid {RIS}", "did you mean '--no-pid'?"),
        (f"-m appendd {RIS}", "did you mean 'append'?"),
        (f"-c many {RIS}", "'many' is no number of hops; write one from 1 to 255"),
        (f"-i a/b {RIS}", "'a/b' is no interface"),
        (f"{RIS} -c", "-c needs a value behind it"),
        (f"{RIS} wds", "'wds' is no server"),
        ("-i vlan10", "no server is named"),
        (f"-ch - {RIS}", "command line:1:5: - can't be read: No such file"),
        (f"-ch \x1b[2J {RIS}", "\\x1b[2J can't be read"),
        (f"-ch /nonexistent/hosts {RIS}", "command line:1:5: /nonexistent/hosts can't be read: No such file"),
    ],
)
def test_what_is_not_understood_is_named(line: str, message: str, imports: Importer) -> None:
    result = command(imports, line)
    assert result.code == 1
    assert message in result.err
    result.loaded("" if RIS in line else "default: drop\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('INTERFACES="vlan10"\n', "given:1:1: SERVERS names no server"),
        ('SERVERS="wds"\n', "given:1:10: 'wds' is no server"),
        ('SERVERS="' + "\n" * 100_000, "given:1:1: the quote of SERVERS is never closed"),
        ("SERVERS=10.20.0.10 10.20.0.11\n", "write all of it in quotes"),
        ('SERVERS="10.20.0.10\n\n', "the quote of SERVERS is never closed"),
        ('SERVERS="$OLD 10.20.0.10"\n', "a variable or command in it"),
        ("SERVERS=10.20.0.10\n. /etc/other\n", "given:2:1: '. /etc/other' is no assignment"),
        ('SERVERS="10.20.0.10\n  10.20.0.300"\n', "given:2:3: '10.20.0.300' is no server"),
        ("SERVERS='10.20.0.10'\nOPTIONS=\"-a -Z\"\n", "given:2:13: '-Z' is no option"),
    ],
)
def test_faults_of_a_defaults_file(text: str, message: str, imports: Importer) -> None:
    result = imports.text(text)
    assert result.code == 1
    assert message in result.err


def test_shell_quoting_comments_and_lines(imports: Importer) -> None:
    result = imports.text(
        "# SERVERS=10.0.0.9\n"
        "export SERVERS='10.20.0.10\n10.20.0.11'  # two, $5 each\n"
        "INTERFACES=vlan1''0\nOPTIONS=\n"
    )
    loaded = result.loaded()
    assert result.code == 0
    assert where(loaded, "02:00:00:10:00:01") == (RIS, "10.20.0.11")
    assert [entry.name for entry in loaded.config.interfaces] == ["vlan10"]


def test_the_hosts_file_of_a_defaults_file(imports: Importer, tmp_path: Path) -> None:
    hosts = tmp_path / "dhcrelay.hosts"
    hosts.write_text(f"02:00:00:10:00:01 {ALTIRIS} # one\n02:00:00:10:00:02\n")
    result = imports.text(f'SERVERS="{RIS}"\nINTERFACES="vlan10"\nOPTIONS="-ch {hosts}"\n')
    assert result.code == 1
    assert f"{hosts}:2:1: '02:00:00:10:00:02' has no server address" in result.err
    assert where(result.loaded(), "02:00:00:10:00:01") == (ALTIRIS,)


def test_the_documentation_shows_what_is_printed(imports: Importer, tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "migration.md").read_text("utf-8")
    shown = page.split("```yaml\n", 1)[1].split("```", 1)[0]
    hosts = tmp_path / "dhcrelay.hosts"
    rules = [line[2:] for line in shown[shown.index("rules:\n") :].splitlines()[1:-1]]
    told = shown.splitlines()[-1].split("line 4: ")[1]
    addresses = {"altiris": ALTIRIS}
    lines = [
        line if line.startswith("#") else f"{line[:17]} {addresses[line[19:26]]}{line[26:]}" for line in rules
    ]
    hosts.write_text("\n".join([*lines, told]) + "\n")
    names = ["--server", f"ris={RIS}", "--server", f"altiris={ALTIRIS}"]
    line = f"-i vlan10 -i core -c 10 -a -ch {hosts} {RIS}"
    result = imports(*names, "--dhcrelay", "--", *line.split())
    printed = result.out.splitlines()
    for wanted in shown.splitlines()[1:]:
        assert wanted in printed or wanted == "# ..."
    message = result.err.splitlines()[0]
    assert message.replace(str(hosts), "/etc/dhcrelay.hosts") in page
