"""Configurations that are meant to do harm: to keep their reader busy, or to be shown other files."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pxerelay.cli import main
from pxerelay.config import config, document, source
from pxerelay.config.findings import ConfigError, did_you_mean
from pxerelay.config.load import load, read
from pxerelay.config.mapping import MOST_SHAPES
from pxerelay.config.source import REVIEWED
from tests.unit.configs import build

PATIENCE = 20.0
"""Seconds of processor time for what took minutes; it takes three or four."""

NOBODY = 65534


@contextmanager
def soon() -> Iterator[None]:
    begun = time.process_time()
    yield
    assert time.process_time() - begun < PATIENCE


def faults(text: str, *more: str) -> list[str]:
    """Return what is wrong with a configuration, as messages."""
    files = [document.parse(f"more{at}.yml", one) for at, one in enumerate(more)]
    with soon(), pytest.raises(ConfigError) as caught:
        config.build(document.parse("main.yml", text), files)
    return [finding.message for finding in caught.value.findings]


def wildcard(digits: str) -> str:
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def of_file(path: Path) -> str:
    """Return what is said of a file that does not load."""
    with soon(), pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def said_of(path: Path) -> str:
    """Return what is wrong with a file, nothing if it loads."""
    try:
        load(path)
    except ConfigError as error:
        return str(error)
    return ""


def test_as_many_shapes_of_wildcards_as_there_are_take_no_minutes() -> None:
    """4,095 of them, in 100 KB."""
    rules = "".join(
        f"  '{wildcard(''.join('1' if fixed else '?' for fixed in shape))}': 10.0.0.1\n"
        for shape in itertools.product((True, False), repeat=12)
        if any(shape) and not all(shape)
    )
    found = faults(f"default: 10.0.0.2\nrules:\n{rules}")
    assert len(found) == (1 << 12) - 2 - MOST_SHAPES
    assert f"which do so in {MOST_SHAPES} ways already; write it as several rules" in found[0]


def test_wildcards_that_overlap_in_square_number_take_no_minutes() -> None:
    """Each of 4,096 overlaps each of 4,096 others, and one more digit settles each pair."""
    blocks = [f"{n:03x}" for n in range(4096)]
    rules = "".join(
        f"  '02:00:0{one[0]}:{one[1:]}:??:??': 10.0.0.1\n  '??:??:??:??:0{one[0]}:{one[1:]}': 10.0.0.2\n"
        for one in blocks
    ).replace("'??:??:??:??", "'02:00:??:??")
    settled = "".join(f"  '02:00:0{one[0]}:{one[1:]}:0?:??': 10.0.0.1\n" for one in blocks)
    (found,) = faults(f"default: 10.0.0.2\nrules:\n{rules}{settled}")
    assert "wildcards overlap in more ways than can be looked through" in found


def test_globs_of_interfaces_are_bounded() -> None:
    globs = "".join(f"  v{at}*: {{}}\n" for at in range(257))
    assert any(
        "257 globs; write at most 256" in one for one in faults(f"default: drop\ninterfaces:\n{globs}")
    )
    names = "".join(f"  v{at}: {{}}\n" for at in range(3000))
    classes = "".join(f"  - {{name: c{at}, interfaces: ['v{at}*'], server: drop}}\n" for at in range(3000))
    (found,) = faults(f"default: drop\ninterfaces:\n{names}classes:\n{classes}")
    assert "these globs take too many comparisons of interfaces" in found


def test_servers_that_multiply_are_bounded() -> None:
    many = ", ".join(f"10.1.{at >> 8}.{at & 255}" for at in range(1, 5000))
    found = faults(f"servers: {{a: [{many}]}}\ndefault: [{', '.join(['a'] * 5000)}]\n")
    assert any("4999 addresses of one server; name at most 64" in one for one in found)
    names = "".join(f"  s{at}: [{', '.join(f'10.{at}.0.{n}' for n in range(1, 41))}]\n" for at in range(3))
    (found_in,) = faults(f"servers:\n{names}default: [s0, s1, s2]\n")
    assert "more than 64 servers would get a copy of each request" in found_in


def test_a_list_with_items_of_all_kinds_takes_no_square_time() -> None:
    items = ", ".join(f"{at}, 'x{at}'" for at in range(5000))
    assert faults(f"servers: {{a: [{items}]}}\ndefault: a\n")


def test_names_that_are_nearly_known_take_no_square_time() -> None:
    servers = "".join(f"  wds-{at:06}: 10.0.0.1\n" for at in range(5000))
    rules = "".join(f"  02:00:00:00:{at >> 8:02x}:{at & 255:02x}: wdx-{at:06}\n" for at in range(5000))
    found = faults(f"servers:\n{servers}default: drop\nrules:\n{rules}")
    assert len(found) == 5000
    assert "did you mean 'wds-" in found[0]
    with soon():
        assert did_you_mean("a" * 1_000_000, ["a" * 999_999]) == "; known: " + "a" * 999_999


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"%TAG !t{at}! tag:x{at},2000:\n" for at in range(100_000)) + "--- {default: drop}\n",
        "[" * 1_000_000,
        "- " * 200_000 + "x",
        "default: drop\noption82: {circuit_id: '" + "{" * 1_000_000 + "'}\n",
        "default: drop\n" + "".join(f"k{at}: 1\n" for at in range(30_000)),
        f"default: {'x' * 5_000_000}\n",
        "default: drop\nclasses: [{name: a, server: drop, arch: [" + "x, " * 100_000 + "]}]\n",
    ],
    ids=["tags", "flow", "block", "braces", "keys", "long", "architectures"],
)
def test_text_that_is_meant_to_take_long_does_not(text: str) -> None:
    found = faults(text)
    assert found
    assert max(map(len, found)) < 3000


def test_a_line_that_is_very_long_is_not_quoted_with_each_fault() -> None:
    text = "default: drop\nrules: {" + ", ".join(f"x{at}: drop" for at in range(20_000)) + "}\n"
    with soon(), pytest.raises(ConfigError) as caught:
        build(text)
    assert len(caught.value.findings) == 20_000
    assert not any(finding.text for finding in caught.value.findings)


@pytest.mark.parametrize("name", ["*a" * 40 + "b.yml", "a" * 5000, "?" * 300 + "*.yml", "**/" * 50 + "*.yml"])
def test_a_glob_is_matched_in_a_time_that_grows_with_its_length(name: str, tmp_path: Path) -> None:
    (tmp_path / ("a" * 200 + ".yml")).write_text("rules: {}\n")
    path = tmp_path / "pxerelay.yml"
    path.write_text(f"default: drop\ninclude: '{name}'\n")
    with soon():
        found = said_of(path)
    assert not found or any(text in found for text in ("matches the file itself", "it has more than 4096"))


def test_a_glob_that_looks_at_the_whole_disk_ends(tmp_path: Path) -> None:
    for at in range(60):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        (folder / "up").symlink_to("..")
    path = tmp_path / "pxerelay.yml"
    path.write_text("default: drop\ninclude: '*/*/*/*/*/*/*/*/*.yml'\n")
    assert "more than 100000 names to be looked at; name a deeper folder" in of_file(path)


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("/dev/zero", "/dev/zero can't be read: it is a device, not a file"),
        ("/dev/stderr", "/dev/stderr can't be read: it is a named pipe, not a file"),
        ("/proc/self/fd/1", "/proc/self/fd/1 can't be read: it is a named pipe, not a file"),
        ("socket.yml", "socket.yml can't be read: "),
    ],
)
def test_only_regular_files_are_included(include: str, said: str, tmp_path: Path) -> None:
    """In a process whose output nobody reads to its end: to read it would wait for ever."""
    (tmp_path / "pxerelay.yml").write_text(f"default: drop\ninclude: {include}\n")
    os.mkfifo(tmp_path / "socket.yml")
    done = subprocess.run(
        [sys.executable, "-m", "pxerelay", "check", str(tmp_path / "pxerelay.yml")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stdout


def test_all_files_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, more = tmp_path / "pxerelay.yml", tmp_path / "more.yml"
    path.write_text("default: drop\ninclude: more.yml\n")
    with more.open("wb") as file:
        file.truncate(source.MOST_OCTETS + 1)  # which takes no room on the disk
    monkeypatch.chdir(tmp_path)
    assert "more.yml can't be read: it has more than the 256 MiB" in of_file(path)


SECRET = "root:$6$salt$secret:19000:0:99999:7:::\n"  # noqa: S105  # nobody's


@pytest.fixture
def shadow(tmp_path: Path) -> Path:
    """Return a file that is somebody else's, with a configuration beside it that includes it."""
    (tmp_path / "conf").mkdir()
    path = tmp_path / "shadow"
    path.write_text(SECRET)
    (tmp_path / "conf" / "pxerelay.yml").write_text(f"default: drop\ninclude: {path}\n")
    return path


def test_a_file_of_another_folder_is_not_quoted(shadow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shadow.parent / "conf" / "pxerelay.yml"
    for form in ("text", "json", "github"):
        assert main(["check", "--format", form, str(path)]) == 1
        said = capsys.readouterr().out
        assert "secret" not in said
        assert "root" not in said.replace(str(shadow.parent), "")
        assert f"something is wrong here, and not told, for it is not in the folder of {path}" in said
    assert main(["check", str(path), str(shadow)]) == 1
    assert "secret" in capsys.readouterr().out
    assert "secret" not in of_file(path)


def test_warnings_about_it_are_not_quoted_either(shadow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shadow.write_text("rules: {02:00:00:12:34:56: {server: drop, owner: secret, until: 2001-01-01}}\n")
    assert main(["check", str(shadow.parent / "conf" / "pxerelay.yml")]) == 0
    said = capsys.readouterr().out
    assert "[expired-rule]" in said
    assert "secret" not in said


def a_link(shadow: Path) -> str:
    (shadow.parent / "conf" / "more.yml").symlink_to(shadow)
    return "it is not in the folder of"


def a_linked_folder(shadow: Path) -> str:
    (shadow.parent / "elsewhere").mkdir()
    shadow.rename(shadow.parent / "elsewhere" / "more.yml")
    (shadow.parent / "conf" / "rules.d").symlink_to(shadow.parent / "elsewhere")
    return "it is not in the folder of"


def hidden(shadow: Path) -> str:
    folder = shadow.parent / "conf" / ".git"
    folder.mkdir()
    shadow.rename(folder / "config")
    return "its path has a hidden name in it"


def another_users(shadow: Path) -> str:
    os.chown(shadow, NOBODY, NOBODY)
    shadow.rename(shadow.parent / "conf" / "more.yml")
    return "it belongs to another user than"


@pytest.mark.parametrize(
    ("way", "include"),
    [
        (a_link, "more.yml"),
        (a_linked_folder, "rules.d/*.yml"),
        (hidden, ".git/config"),
        pytest.param(
            another_users,
            "more.yml",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="to give a file to somebody else takes root"),
        ),
    ],
)
def test_what_is_not_the_authors_is_not_quoted(
    way: Callable[[Path], str], include: str, shadow: Path
) -> None:
    path = shadow.parent / "conf" / "pxerelay.yml"
    path.write_text(f"default: drop\ninclude: {include}\n")
    reason = way(shadow)
    said = of_file(path)
    assert "secret" not in said
    assert f"not told, for {reason}" in said


def test_files_of_its_own_folder_are_quoted(tmp_path: Path) -> None:
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "more.yml").write_text("rules: {02:00:00:12:34:56: nope}\n")
    path = tmp_path / "pxerelay.yml"
    path.write_text("default: drop\ninclude: rules.d/*.yml\n")
    assert "unknown server 'nope'" in of_file(path)
    assert read(path).unquoted == {}


def test_a_rule_file_that_another_one_includes_is_checked_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, more = tmp_path / "pxerelay.yml", tmp_path / "more.yml"
    path.write_text("default: drop\ninclude: more.yml\n")
    more.write_text("rules: {02:00:00:12:34:56: drop}\n")
    assert main(["check", str(more), str(path)]) == 0, capsys.readouterr()
    assert main(["check", str(more)]) == 1


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return what looks like a checkout, beside a file that is not in it."""
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    (tmp_path / "key").write_text(SECRET)
    return folder


@pytest.mark.parametrize("command", ["check", "diff", "explain"])
@pytest.mark.parametrize("which", ["pxerelay.yml", "more.yml", "rules.d/key"])
def test_a_link_out_of_the_repository_is_refused(
    command: str, which: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, include = repository / "pxerelay.yml", which
    path.write_text(f"default: drop\ninclude: {include}\n")
    if which == "rules.d/key":
        (repository / "rules.d").symlink_to(repository.parent)
    else:
        (repository / which).unlink(missing_ok=True)
        (repository / which).symlink_to("../key")
    arguments = {
        "check": [str(path)],
        "diff": [str(path), str(path)],
        "explain": ["02:00:00:12:34:56", "--config", str(path)],
    }[command]
    assert main([command, *arguments]) != 0
    told = capsys.readouterr()
    assert (
        f"it is a link out of the repository {repository}; put the file itself in its place"
        in told.out + told.err
    )
    assert "secret" not in told.out + told.err


def test_a_link_in_the_repository_is_followed(repository: Path) -> None:
    (repository / "shared").mkdir()
    (repository / "shared" / "more.yml").write_text("rules: {02:00:00:12:34:56: drop}\n")
    (repository / "site").mkdir()
    (repository / "site" / "rules.d").symlink_to("../shared")
    path = repository / "site" / "pxerelay.yml"
    path.write_text("default: drop\ninclude: rules.d/*.yml\n")
    assert len(load(path, source=REVIEWED).config.policy.rules) == 1


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202egnp.exe\r\n no difference"


def test_what_a_file_says_reaches_no_terminal_raw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, owners, notes, classes, keys and values; what is told as JSON stays JSON."""
    path, other = tmp_path / f"a{HOSTILE[:-14]}.yml".replace("\r\n", "\n"), tmp_path / "other.yml"
    text = json.dumps(HOSTILE)
    mapping = (
        "servers: {ris: 10.0.0.1, wds: 10.0.0.2}\ndefault: ris\ninterfaces: {vlan10: {}}\n"
        f"rules:\n  02:00:00:12:34:56: {{server: wds, owner: {text}, until: 2001-01-01, note: {text}}}\n"
        f"  02:00:00:12:34:57: {{server: wds, owner: {text}, note: {text}}}\n"
        f"classes: [{{name: c, vendor_class: {text}, server: wds}}]\n"
    )
    path.write_text(mapping)
    other.write_text("servers: {ris: 10.0.0.1}\ndefault: ris\ninterfaces: {vlan10: {}}\n")
    broken = tmp_path / "broken.yml"
    broken.write_text(f"default: {text}\n{text}: 1\nclasses: [{{name: {text}, server: {text}}}]\n")
    runs = (
        ["check", str(path)],
        ["check", str(broken)],
        ["check", "--format", "github", str(broken)],
        ["explain", "02:00:00:12:34:56", "02:00:00:12:34:57", "--config", str(path)],
        ["explain", "02:00:00:12:34:57", "--config", str(broken)],
        ["diff", str(other), str(path)],
        ["diff", "--format", "markdown", str(other), str(path)],
    )
    for run in runs:
        main(run)
        told = capsys.readouterr()
        lines = (told.out + told.err).split("\n")
        assert len(lines) > 1
        for line in lines:
            assert line.replace("\t", "").isprintable(), (run, line)
            assert not line.startswith(" no difference"), (run, line)
    for run in (
        ["check", "--json", str(broken)],
        ["explain", "--json", "02:00:00:12:34:57", "--config", str(path)],
        ["diff", "--json", str(other), str(path)],
    ):
        main(run)
        said = capsys.readouterr().out
        assert all(line.isprintable() for line in said.split("\n"))
        assert HOSTILE in str(json.loads(said)) or json.dumps(HOSTILE)[1:-1] in json.dumps(json.loads(said))


def test_a_class_has_a_name_of_one_line() -> None:
    (found,) = faults(f"default: drop\nclasses: [{{name: {json.dumps(HOSTILE)}, arch: 7, server: drop}}]\n")
    assert "is not a name in one line, with no control characters" in found


MANY = 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "default: VALUE",
        "default: drop\n? VALUE\n: 1",
        "default: drop\nrules:\n  ? VALUE\n  : drop",
        "default: drop\nrules: {02:00:00:00:00:01: VALUE}",
        "default: drop\nservers: {ris: VALUE}",
        "default: drop\nservers:\n  ? VALUE!\n  : 10.0.0.1",
        "default: drop\nmetrics: /VALUE",
        "default: drop\ninclude: VALUE",
        "default: drop\ninclude: VALUE/*.yml",
        "default: drop\noption82: {circuit_id: '{VALUE}'}",
        "default: drop\nclasses: [{name: a, server: drop, arch: VALUE}]",
        "default: drop\nclasses: [{name: a, server: drop, interfaces: [VALUE]}]",
        "default: drop\nservers: {ris: {addresses: 10.0.0.1, probe: {mac: VALUE}}}",
        "default: *VALUE",
        "default: !VALUE a",
        "default: drop\nmax_hops: VALUE",
        "default: drop\n? VALUE\n: 1\n? VALUE\n: 2",
    ],
)
def test_a_value_of_a_million_characters_is_quoted_with_its_ends_only(text: str, tmp_path: Path) -> None:
    """And what would be right stands behind it, for it is not cut off."""
    path = tmp_path / "pxerelay.yml"
    path.write_text(text.replace("VALUE", f"begin{'x' * MANY}end") + "\n")
    found = of_file(path).splitlines()
    assert max(map(len, found)) < 1000
    quoting = [
        line for line in found if re.search(r"beginx+ \.\.\. \d{6,} more characters \.\.\. x+end", line)
    ]
    assert quoting
    assert not any(line.endswith("end") for line in quoting), "nothing is said of what would be right"


def test_an_octet_that_is_not_utf8_is_placed_as_editors_do(tmp_path: Path) -> None:
    path = tmp_path / "pxerelay.yml"
    path.write_bytes("default: drop # a\rb \u2028\r\n# ü".encode() + b"\xff\n")
    assert of_file(path).splitlines()[0].startswith(f"{path}:2:4: this octet is not UTF-8")
