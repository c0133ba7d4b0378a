"""The hosts file of the 2008 patch: every mistake has its place, and nothing is lost on the way."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay.cli import main
from pxerelay.config.load import load
from tests.unit.tools.importers.result import Importer, where


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("02:00:00:10:00:01", "1:1", "'02:00:00:10:00:01' has no server address; write MAC and address"),
        ("02:00:00:10:00:01 # 10.20.0.10", "1:1", "has no server address"),
        ("  02:00:00:10:00:0g 10.20.0.10", "1:3", "'g' is no hex digit"),
        ("02:00:00:10:00 10.20.0.10", "1:1", "has 10 of a MAC's 12 hex digits"),
        ("020000100001 10.20.0.10", "1:1", "write 02:00:00:10:00:01"),
        ("02:00:00:10:00:01 10.20.0.256", "1:19", "'10.20.0.256' is no server: write an IPv4 address"),
        ("02:00:00:10:00:01 wds", "1:19", "a DNS name with its domain"),
        ("02:00:00:10:00:01 127.0.0.1", "1:19", "can't be a server"),
        ("02:00:00:10:00:01 10.20.0.10 10.20.0.11", "1:30", "one word too many"),
        ("10.20.0.10 02:00:00:10:00:01", "1:1", "the MAC comes first: write 02:00:00:10:00:01 10.20.0.10"),
        ("nonsense", "1:1", "has no server address"),
    ],
)
def test_a_line_that_is_not_understood(line: str, place: str, message: str, imports: Importer) -> None:
    result = imports.text(f"{line}\n02:00:00:10:00:99 10.20.0.10\n", "--from", "dhcrelay-hosts")
    assert result.code == 1
    assert f"{imports.folder / 'given'}:{place}: " in result.err
    assert message in result.err
    assert f"  # not imported, line 1: {line.strip()}\n" in result.out
    assert where(result.loaded("default: drop\n"), "02:00:00:10:00:99") == ("10.20.0.10",)


@pytest.mark.parametrize("other", ["10.20.0.10", "10.20.0.20"])
def test_the_same_mac_twice_names_both_lines(other: str, imports: Importer) -> None:
    result = imports.text(f"02:00:00:10:00:01 10.20.0.10\n\n0200.0010.0001 {other}\n")
    place = imports.folder / "given"
    assert result.code == 1
    assert f"{place}:3:1: '0200.0010.0001' stands in {place}:1 already" in result.err
    assert where(result.loaded("default: drop\n"), "02:00:00:10:00:01") == ("10.20.0.10",)


def test_all_mistakes_are_told(imports: Importer) -> None:
    result = imports.text(
        "02:00:00:10:00:01\nx 10.20.0.10\n02:00:00:10:00:02 y\n", "--from", "dhcrelay-hosts"
    )
    assert (result.code, result.err.count("\n    ")) == (1, 6)


def test_ambiguous_wildcards_are_told_like_check_would(imports: Importer) -> None:
    result = imports.text("02:0?:00:* 10.20.0.10\n02:?0:00:* 10.20.0.20\n")
    assert result.code == 1
    assert "(the result):" in result.err
    assert "equally specific" in result.err


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(end: str, imports: Importer) -> None:
    text = end.join(["# one", "02:00:00:10:00:01\t10.20.0.10\t#\ttab", "", "02:00:00:10:00:02 10.20.0.10"])
    result = imports.text(text)
    assert result.code == 0
    assert "  # one\n  02:00:00:10:00:01: server-10-20-0-10  # tab\n\n  02:00:00:10:00:02" in result.out
    assert "\r" not in result.out


def test_comments_in_latin_1_utf_8_and_with_what_a_terminal_obeys(imports: Importer) -> None:
    octets = (
        b"02:00:00:10:00:01 10.20.0.10 # K\xfcche\n"
        + "02:00:00:10:00:02 10.20.0.10 # Büro\n".encode()
        + b"02:00:00:10:00:03 10.20.0.10 # \x1b[2J\x07\x85 x\n"
    )
    result = imports.text(octets)
    assert result.code == 0
    result.loaded("default: drop\n")
    for comment in ("# Küche\n", "# Büro\n", "# \\x1b[2J\\x07\\u0085 x\n"):
        assert comment in result.out


def test_a_byte_order_mark_is_no_part_of_a_mac(imports: Importer) -> None:
    for octets in (
        b"\xef\xbb\xbf02:00:00:10:00:01 10.20.0.10\n",
        b"\xef\xbb\xbf02:00:00:10:00:01 10.20.0.10#\xfc\n",
    ):
        assert imports.text(octets).code == 0


def test_a_file_with_no_rules(imports: Importer) -> None:
    result = imports.text("# nobody\n", "--from", "dhcrelay-hosts", "--default", "10.20.0.10")
    assert result.code == 0
    assert result.out.endswith("rules: {}\n  # nobody\n")
    assert where(result.loaded(), "02:00:00:10:00:01") == ("10.20.0.10",)
    assert imports.text("", "--from", "dhcrelay-hosts", "--default", "10.20.0.10").loaded()


_comments = st.text(max_size=20).filter(lambda text: not set(text) & set("\r\n\0"))
_octets = st.lists(st.integers(0, 255), min_size=6, max_size=6)
_servers = st.integers(1, 250).map("10.20.0.{}".format)
_spellings = st.sampled_from(["{:02x}:", "{:02X}:", "{:02x}-", "{:x}:"])


def _mac(octets: list[int], spelling: str) -> str:
    return "".join(spelling.format(octet) for octet in octets)[:-1]


_entries = st.lists(
    st.tuples(_octets, _spellings, _servers, _comments), unique_by=lambda entry: tuple(entry[0]), max_size=20
)


@settings(max_examples=60)
@given(_entries)
def test_any_hosts_file_maps_as_it_did(entries: list[tuple[list[int], str, str, str]]) -> None:
    lines = [f"{_mac(octets, how)} {server} #{text}" for octets, how, server, text in entries]
    with TemporaryDirectory() as folder:
        hosts, result = Path(folder) / "hosts", Path(folder) / "pxerelay.yml"
        hosts.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            command = ["import", str(hosts), "--from", "dhcrelay-hosts", "--default", "10.20.1.1"]
            assert main(command) == 0
        result.write_text(out.getvalue(), "utf-8")
        loaded = load(result)
    assert len(loaded.config.policy.rules) == len(entries)
    for octets, _, server, _ in entries:
        assert where(loaded, _mac(octets, "{:02x}:")) == (server,)


@settings(max_examples=150)
@given(
    st.binary(max_size=200), st.sampled_from(["dhcrelay-hosts", "dnsmasq", "isc-dhcpd", "dhcplb", "dhcrelay"])
)
def test_no_octets_at_all_are_a_traceback(octets: bytes, kind: str) -> None:
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
        path = Path(folder) / "given"
        path.write_bytes(octets)
        with contextlib.redirect_stderr(io.StringIO()):
            code = main(["import", "--from", kind, str(path), "--default", "drop"])
        assert code in (0, 1, 2)
        if code < 2:
            path.write_text(out.getvalue(), "utf-8")
            load(path)
