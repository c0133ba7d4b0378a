"""dnsmasq, dhcpd, dhcplb: what is not understood has its place; which format a file is in; hostile files."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pxerelay.tools.importers.formats import FORMATS, recognise
from tests.unit.tools.importers.result import SAMPLES, Importer, where

BOOT = "dhcp-boot=tag:thin,x,y,10.20.0.20\n"
MAC = "02:00:00:10:00:01"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"dhcp-boot=tag:thin,x,y,0.0.0.0\ndhcp-host={MAC},set:thin\n",
            "1:24: 0.0.0.0 is dnsmasq's own host",
        ),
        ("dhcp-boot=tag:thin,x,y,altiris\n", "1:24: 'altiris' is no server"),
        (f"dhcp-boot=x\ndhcp-host={MAC},set:thin\n", "1:11: clients fetch 'x' from dnsmasq's own host"),
        ("dhcp-boot=x,10.20.0.20\n", "1:13: this is the server's name to dnsmasq, not its address"),
        (f"{BOOT}dhcp-host=id:01:02,ignore\n", "2:11: this has no MAC, and rules are about MACs"),
        (
            f"{BOOT}dhcp-boot=tag:ipxe,x,y,10.20.0.3\ndhcp-userclass=set:ipxe,iPXE\ndhcp-boot=y,,10.20.0.4\n",
            "2:24: this holds for clients that 'dhcp-userclass=set:ipxe,iPXE' is true of, others have "
            "10.20.0.4",
        ),
        (
            "dhcp-vendorclass=set:x,Sun\ndhcp-boot=tag:x,x,y,10.20.0.3\n",
            "1:24: dnsmasq looks for 'Sun' anywhere in option 60",
        ),
        (
            "dhcp-range=set:a,10.1.1.10,10.1.1.20,255.255.255.0\ndhcp-boot=tag:a,x,y,10.20.0.3\n",
            "2:21: clients of 10.1.1.0/24 boot from 10.20.0.3: which interface are they on? Say so by "
            "--interface 10.1.1.0/24=NAME; now subnet-10.1.1.0-24 stands in its place",
        ),
        ("dhcp-range=set:a,10.1.1.10,10.1.1.20,255.0.255.0\n", "1:38: '255.0.255.0' is no netmask"),
        (f"{BOOT}dhcp-host=06-{MAC},set:thin\n", "2:11: '06-02:00:00:10:00:01' is of hardware type 06"),
        (f"{BOOT}dhcp-host={MAC},set:thin\ndhcp-host={MAC},set:thin\n", f"3:11: '{MAC}' stands in "),
        ("dhcp-hostsfile=/etc/hosts\n", "1:1: dhcp-hostsfile is not followed"),
        (f"{BOOT}dhcp-host=laptop,10.10.10.9,set:thin\n", "2:11: this has a boot server but no MAC"),
        ("dhcp-relay=10.10.10.1,10.20.0.10#1067\n", "1:23: port '1067' has no counterpart"),
        ("dhcp-relay=10.10.10.1,,vlan10\n", "1:12: this relays by broadcast"),
        ("dhcp-range=x\n!what\n", "2:1: '!what' is neither an option"),
    ],
)
def test_dnsmasq_faults(text: str, message: str, imports: Importer) -> None:
    result = imports.text(text)
    assert result.code == 1
    assert f"{imports.folder / 'given'}:{message}" in result.err
    result.loaded("" if "\ndefault:" in result.out else "default: drop\n")


def test_dnsmasq_as_a_relay(imports: Importer) -> None:
    text = (
        "interface=vlan10,vlan20\ndhcp-relay=10.10.10.1,10.20.0.10\ndhcp-relay=10.10.20.1,10.20.0.10,core\n"
    )
    loaded = imports.text(text).loaded()
    assert where(loaded, MAC) == ("10.20.0.10",)
    assert [entry.name for entry in loaded.config.interfaces] == ["vlan10", "vlan20"]


def test_dnsmasq_options_without_a_value_and_hosts_by_name(imports: Importer) -> None:
    text = f"bogus-priv # no value\nno-hosts\n{BOOT}laptop,10.10.10.9\nid:01:02,10.10.10.8\n{MAC},set:thin\n"
    result = imports.text(text)
    assert result.code == 0
    assert where(result.loaded("default: drop\n"), MAC) == ("10.20.0.20",)


def test_dnsmasq_relaying_to_two_servers(imports: Importer) -> None:
    both = "dhcp-relay=10.10.10.1,10.20.0.10\ndhcp-relay=10.10.10.1,10.20.0.11\n"
    assert where(imports.text(both).loaded(), MAC) == ("10.20.0.10", "10.20.0.11")
    different = "dhcp-relay=10.10.10.1,10.20.0.10\ndhcp-relay=10.10.20.1,10.20.0.11\n"
    result = imports.text(different)
    assert "# default: SERVER" in result.out
    assert "with its own default: 10.20.0.11" in result.out.replace("\n#  ", "")


def test_dnsmasq_keeps_comments_about_clients_only(imports: Importer) -> None:
    result = imports.text(
        f"# long manual\n\n# more\nport=0\n# boot\n{BOOT}\n# reception\ndhcp-host={MAC},set:thin # a#b\n"
    )
    assert "rules:\n  # reception\n  02:00:00:10:00:01: thin  # a#b\n" in result.out
    assert "manual" not in result.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"host a {{ hardware ethernet {MAC}; next-server wds; }}", "1:59: 'wds' is no server"),
        ("host a { hardware ethernet 02:00; next-server 10.20.0.20; }", "1:28: '02:00' has 4 of a MAC's 12"),
        ("host a { hardware token-ring 02:00; next-server 10.20.0.20; }", "1:10: rules are about Ethernet"),
        ('class "x" { next-server 10.20.0.20; }', "1:25: this server holds for some of the clients only"),
        ("if option arch = 00:07 {\n next-server 10.20.0.20;\n}", "those of 'if' in line 1; write a rule"),
        ("host a { next-server 10.20.0.20 }", "1:10: 'next-server' has no ; behind it"),
        ("group { host a {\n", "1:1: the block of 'group' is never closed; write its }"),
        ("group { } }", "1:11: this } closes nothing"),
        ('group { option x "abc; }', "1:18: this quote is never closed"),
        ('group { include "/etc/x"; }', "1:9: include is not followed"),
        (
            'subnet6 2001:db8:1::/64 {\n option dhcp6.bootfile-url "tftp://[2001:db8::1]/x"; }',
            "2:9: this is where clients boot from by DHCPv6",
        ),
        (
            "option dhcp6.bootfile-url code 59 = string;\n"
            'host a { hardware ethernet 02:00:00:00:00:01; option dhcp6.bootfile-url "tftp://[::1]/x"; }',
            "2:54: this is where clients boot from by DHCPv6",
        ),
        ("group { next-server 10.20.0.20, 10.20.0.21; }", "1:9: this is no next-server"),
    ],
)
def test_dhcpd_faults(text: str, message: str, imports: Importer) -> None:
    result = imports.text(text, "--from", "isc-dhcpd")
    assert result.code == 1
    assert message in result.err
    result.loaded("default: drop\n")


def test_a_host_of_dhcpd_has_the_nearest_server(imports: Importer) -> None:
    text = (
        "group { host a { hardware ethernet 02:00:00:00:00:01; } next-server 10.20.0.1;\n"
        "group { host b { hardware ethernet 02:00:00:00:00:02; } next-server 10.20.0.2; }\n"
        'host c { hardware ethernet 02:00:00:00:00:03; option tftp-server-name "10.20.0.3"; } }\n'
        'host d { hardware ethernet 02:00:00:00:00:04; option tftp-server-name "10.20.0.4"; }\n'
    )
    loaded = imports.text(text, "--default", "drop").loaded()
    found = [where(loaded, f"02:00:00:00:00:0{at}") for at in range(1, 5)]
    assert found == [("10.20.0.1",), ("10.20.0.2",), ("10.20.0.1",), ("10.20.0.4",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"v4": {', "1:9: not JSON: "),
        ("[]", "1:1: this is no mapping"),
        ("{}", '1:1: there is no mapping "v4"'),
        ('{"v4": {"x": {"host": "10.20.0.20"}}}', "1:9: 'x' is no MAC"),
        (f'{{"v4": {{"{MAC}": "10.20.0.20"}}}}', "1:30: this is no override"),
        (f'{{"v4": {{"{MAC}": {{}}}}}}', f'1:9: \'{MAC}\' has neither "host" nor "tier"'),
        (f'{{"v4": {{"{MAC}": {{"host": "2001:db8::1"}}}}}}', "1:39: '2001:db8::1' is no server"),
        (f'{{"v4": {{"{MAC}": {{"host": 5}}}}}}', "1:39: '5' is no server"),
        (f'{{"v4": {{"{MAC}":{{"tier":"a"}}}}}}', "1:37: the tier 'a' has no address here; add --server"),
        ("[" * 100_000, "1:1: no overrides of dhcplb"),
        ('{"v4": ' + "[" * 900 + "]" * 900 + "}", "nested more than 32 deep"),
    ],
)
def test_dhcplb_faults(text: str, message: str, imports: Importer) -> None:
    result = imports.text(text, "--from", "dhcplb")
    assert result.code == 1
    assert message in result.err
    result.loaded("default: drop\n")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("dhcrelay.hosts", "dhcrelay-hosts"),
        ("isc-dhcp-relay", "dhcrelay"),
        ("dnsmasq.conf", "dnsmasq"),
        ("dhcpd.conf", "isc-dhcpd"),
        ("overrides.json", "dhcplb"),
    ],
)
def test_the_format_is_told_by_what_is_in_the_file(file: str, name: str) -> None:
    assert recognise((SAMPLES / file).read_text()) == name


def test_a_hosts_file_is_one_whatever_its_comments_say() -> None:
    assert recognise("# host x {\n# SERVERS=\n02:00:00:10:00:01 10.20.0.10 # group {\n") == "dhcrelay-hosts"
    assert recognise("02:00:00:10:00:01,set:thin\n") == "dnsmasq"


def test_a_file_in_no_format_is_refused_with_a_list(imports: Importer) -> None:
    result = imports.text("hello\n")
    assert (result.code, result.out) == (2, "")
    assert "can't tell the format of this; say which by --from: " in result.err
    assert all(name in result.err for name in FORMATS)
    mixed = imports(SAMPLES / "dhcpd.conf", SAMPLES / "dnsmasq.conf")
    assert (mixed.code, mixed.out) == (2, "")
    assert "not all files are in one format" in mixed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/nonexistent"], "/nonexistent can't be read: No such file"),
        (["/"], "can't be read: Is a directory"),
        ([str(SAMPLES / "dhcpd.conf"), "--server", "ris"], "write NAME=ADDRESS, such as ris=10.20.0.10"),
        ([str(SAMPLES / "dhcpd.conf"), "--server", "drop=10.20.0.10"], "`drop` is taken"),
        ([str(SAMPLES / "dhcpd.conf"), "--server", "ris=10.20.0"], "'10.20.0' is no server"),
        (
            [str(SAMPLES / "dhcpd.conf"), "--server", "a=10.0.0.1", "--server", "a=10.0.0.2"],
            "stands there twice",
        ),
        ([str(SAMPLES / "dhcpd.conf"), "--default", "ris"], "or a name that --server has"),
    ],
)
def test_what_could_not_run(arguments: list[str], message: str, imports: Importer) -> None:
    result = imports(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_standard_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pxerelay", "import", "-", "--default", "drop"],
        capture_output=True,
        check=False,
        input=b"x 10.20.0.10\n02:00:00:10:00:01 10.20.0.10\n",
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"standard input:1:1: 'x' is no MAC")
    assert b"\n  02:00:00:10:00:01: server-10-20-0-10\n" in done.stdout


def test_a_binary_file_is_refused(imports: Importer) -> None:
    result = imports.text(b"\x7fELF\0\0\0", "--from", "dhcrelay-hosts")
    assert (result.code, result.out) == (2, "")
    assert "is no text: it has NUL octets in it" in result.err


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "host " * 200_000,
        "a," * 300_000,
        "{" * 200_000,
        "group {" * 20_000,
        '"' * 100_001,
        "-" * 99_999,
    ],
    ids=["long word", "many words", "commas", "braces", "blocks", "quotes", "dashes"],
)
def test_huge_lines_are_told_in_short(name: str, text: str, imports: Importer) -> None:
    result = imports.text(text, "--from", name)
    assert result.code in (0, 1)
    first = result.err.split("\n", 1)[0]
    assert len(first) < 1000
    assert max(map(len, result.err.splitlines()), default=0) < 1000
    recognise(text)


def test_output_is_utf_8_whatever_the_terminal_is(imports: Importer) -> None:
    path = imports.folder / "hosts"
    path.write_bytes(b"02:00:00:10:00:01 10.20.0.10 # K\xfcche\n")
    done = subprocess.run(
        [sys.executable, "-m", "pxerelay", "import", str(path)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert "# Küche\n" in done.stdout.decode("utf-8")


def test_what_is_given_too_need_not_be_followed(imports: Importer) -> None:
    folder = imports.folder / "conf.d"
    folder.mkdir()
    (folder / "boot.conf").write_text(BOOT)
    (imports.folder / "given").write_text(f"conf-dir={folder}\ndhcp-host={MAC},set:thin\n")
    assert imports(imports.folder / "given", folder / "boot.conf").code == 0
    hosts = folder / "hosts"
    hosts.write_text(f"host a {{ hardware ethernet {MAC}; next-server 10.20.0.20; }}\n")
    (imports.folder / "given").write_text(f'include "{hosts}";\ngroup {{ }}\n')
    result = imports(imports.folder / "given", hosts)
    assert (result.code, where(result.loaded("default: drop\n"), MAC)) == (0, ("10.20.0.20",))
