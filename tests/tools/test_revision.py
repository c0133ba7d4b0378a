"""Configuration files out of git are those that a checkout of the same revision has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pxerelay.cli import main
from pxerelay.config.findings import ConfigError
from pxerelay.config.load import UnreadableError, load
from pxerelay.tools.diff.git_source import Revision, RevisionError, split
from tests.tools.repositories import commit, git

MAIN = "default: 10.0.0.1\ninclude: {include}\n"
RULE = "rules: {{{mac}: 10.0.0.2}}\n"

TREE = {
    "etc/rules.d/a.yml": RULE.format(mac="02:00:00:00:00:0a"),
    "etc/rules.d/b.yml": RULE.format(mac="02:00:00:00:00:0b"),
    "etc/rules.d/[c].yml": RULE.format(mac="02:00:00:00:00:0c"),
    "etc/rules.d/.hidden.yml": RULE.format(mac="02:00:00:00:00:0d"),
    "etc/rules.d/deep/er/e.yml": RULE.format(mac="02:00:00:00:00:0e"),
    "etc/rules.d/notes.txt": "nothing\n",
    "shared/f.yml": RULE.format(mac="02:00:00:00:00:0f"),
}


@pytest.mark.parametrize(
    "include",
    [
        "rules.d/*.yml",
        "rules.d/?.yml",
        "rules.d/[ab].yml",
        "rules.d/[!a].yml",
        "rules.d/[[]*.yml",
        "rules.d/**/*.yml",
        "./rules.d/../rules.d/a.yml",
        "../shared/*.yml",
        "[rules.d/b.yml, rules.d/*.yml]",
        "linked/*.yml",
        "link.yml",
    ],
)
def test_includes_are_those_of_a_checkout(include: str, tmp_path: Path) -> None:
    commit(tmp_path, {"etc/pxerelay.yml": MAIN.format(include=include), **TREE})
    (tmp_path / "etc" / "linked").symlink_to("../shared")
    (tmp_path / "etc" / "link.yml").symlink_to("rules.d/a.yml")
    commit(tmp_path, {})
    on_disk = load(tmp_path / "etc" / "pxerelay.yml")
    revision = Revision("HEAD", tmp_path)
    in_git = load(revision.path("etc/pxerelay.yml"), source=revision)
    assert in_git.sha256 == on_disk.sha256
    assert in_git.documents[0].name == "HEAD:etc/pxerelay.yml"


def test_a_folder_that_is_not_there_is_one_that_git_would_not_keep(tmp_path: Path) -> None:
    """On the disk it is a fault: it may have been taken away, and its rules with it."""
    commit(tmp_path, {"pxerelay.yml": MAIN.format(include="nowhere/*.yml")})
    assert not load(Path("pxerelay.yml"), source=Revision("HEAD", tmp_path)).config.policy.rules
    with pytest.raises(ConfigError, match="nowhere can't be read: No such file or directory"):
        load(tmp_path / "pxerelay.yml")
    (tmp_path / "nowhere").mkdir()
    assert not load(tmp_path / "pxerelay.yml").config.policy.rules


def test_paths_begin_at_the_root_or_here(tmp_path: Path) -> None:
    commit(tmp_path, {"etc/pxerelay.yml": "default: 10.0.0.1\n"})
    revision = Revision("main", tmp_path / "etc")
    assert revision.path("etc/pxerelay.yml") == revision.path("./pxerelay.yml") == Path("etc/pxerelay.yml")


def test_faults_name_the_revision_and_the_line(tmp_path: Path) -> None:
    rules = "rules:\n  02:00:00:00:00:0a: rsi\n"
    commit(tmp_path, {"pxerelay.yml": MAIN.format(include="[a.yml, b.yml, /etc/b.yml]"), "a.yml": rules})
    with pytest.raises(ConfigError) as raised:
        load(Path("pxerelay.yml"), source=Revision("HEAD", tmp_path))
    texts = [f"{finding.place}: {finding.message}" for finding in raised.value.findings]
    assert "HEAD:a.yml:2:22: unknown server 'rsi'; name it under `servers:`" in texts
    assert any("HEAD:b.yml can't be read: that revision has no such file" in text for text in texts)
    assert any("it begins at the root of the disk, which no revision holds" in text for text in texts)


def test_what_git_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="is in no git repository"):
        Revision("HEAD", tmp_path)
    commit(tmp_path, {"pxerelay.yml": "default: 10.0.0.1\n"})
    with pytest.raises(RevisionError, match="git knows no revision 'nope'"):
        Revision("nope", tmp_path)
    with pytest.raises(UnreadableError, match=r"HEAD:nope\.yml: can't be read: that revision has no"):
        load(Path("nope.yml"), source=Revision("HEAD", tmp_path))


@pytest.mark.parametrize(
    ("text", "found"), [("main:a.yml", ("main", "a.yml")), ("a.yml", None), (":a", None)]
)
def test_revision_and_path(text: str, found: tuple[str, str] | None) -> None:
    assert split(text) == found


WANTED = "default: 10.0.0.1\n"
MEANT_TO_BE_LOOKED_AT = "default: 10.0.0.2\n"


@pytest.fixture
def deceiving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository whose work tree has files that are called like files of its revisions."""
    commit(tmp_path, {"pxerelay.yml": WANTED})
    sha = git(tmp_path, "rev-parse", "HEAD").strip()
    for name in ("main", sha, sha[:8], "HEAD"):
        (tmp_path / f"{name}:pxerelay.yml").write_text(MEANT_TO_BE_LOOKED_AT)
    (tmp_path / "pxerelay.yml").write_text(MEANT_TO_BE_LOOKED_AT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("length", [None, 40, 8])
def test_a_file_that_is_called_like_a_revisions_is_not_taken_for_it(
    length: int | None, deceiving: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    revision = git(deceiving, "rev-parse", "HEAD").strip()[:length] if length else "main"
    name = f"{revision}:pxerelay.yml"
    assert main(["diff", name, "pxerelay.yml"]) == 1
    assert "10.0.0.1 -> 10.0.0.2" in capsys.readouterr().out
    assert main(["diff", name, f"./{name}"]) == 1
    capsys.readouterr()
    assert main(["explain", "02:00:00:00:00:01", "--config", name]) == 0
    assert "02:00:00:00:00:01 -> 10.0.0.1\n" in capsys.readouterr().out
    assert main(["explain", "02:00:00:00:00:01", "--config", f"./{name}"]) == 0
    assert "02:00:00:00:00:01 -> 10.0.0.2\n" in capsys.readouterr().out
    (deceiving / name).write_text("nonsense: 1\n")
    assert main(["check", name]) == 0
    assert main(["check", f"./{name}"]) == 1


def test_replay_takes_the_revision_too(deceiving: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Path(__file__).parents[1] / "captures" / "proxydhcp-clients.pcap"
    commit(deceiving, {"pxerelay.yml": WANTED + "interfaces: {vlan10: {giaddr: 10.10.10.1}}\n"})
    (deceiving / "pxerelay.yml").write_text(MEANT_TO_BE_LOOKED_AT + "interfaces: {vlan10: {}}\n")
    options = ["--giaddr", "vlan10=10.10.10.1", "--interface", "vlan10"]
    main(["replay", str(capture), "--config", "HEAD:pxerelay.yml", *options])
    told = capsys.readouterr().out
    assert ("10.0.0.1" in told, "10.0.0.2" in told) == (True, False)
    main(["replay", str(capture), "--config", "pxerelay.yml", "--against", "HEAD:pxerelay.yml", *options])
    assert "10.0.0.2 -> 10.0.0.1" in capsys.readouterr().out
    assert main(["replay", str(capture), "--config", "nope:pxerelay.yml"]) == 2
    assert "git knows no revision 'nope'" in capsys.readouterr().err


def test_a_revision_that_git_does_not_have_is_no_file_either(
    deceiving: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a shallow clone: the file must not step in."""
    absent = "0123456789" * 4
    (deceiving / f"{absent}:pxerelay.yml").write_text(MEANT_TO_BE_LOOKED_AT)
    for command in (["diff", f"{absent}:pxerelay.yml", "pxerelay.yml"], ["check", f"{absent}:pxerelay.yml"]):
        assert main(command) == 2
        assert f"if the file of that name is meant, write ./{absent}:pxerelay.yml" in capsys.readouterr().err


def test_a_tag_does_not_stand_for_the_branch_of_its_name(tmp_path: Path) -> None:
    commit(tmp_path, {"pxerelay.yml": WANTED})
    first = git(tmp_path, "rev-parse", "HEAD").strip()
    commit(tmp_path, {"pxerelay.yml": MEANT_TO_BE_LOOKED_AT})
    git(tmp_path, "tag", "main")
    git(tmp_path, "update-ref", f"refs/heads/{first[:8]}", first)
    for name in ("main", first[:8], "main~1"):
        with pytest.raises(RevisionError, match="is the name of more than one branch, tag or commit"):
            Revision(name, tmp_path)
    assert load(Path("pxerelay.yml"), source=Revision("refs/heads/main", tmp_path))
    git(tmp_path, "update-ref", f"refs/heads/{first}", "HEAD")
    assert b"10.0.0.1" in Revision(first, tmp_path).read(Path("pxerelay.yml"))


@pytest.mark.parametrize(
    ("link", "include"),
    [
        ("/etc/shadow", "more.yml"),
        ("../../../etc/shadow", "more.yml"),
        ("/etc", "more.yml/*.yml"),
        ("/etc", "*/shadow"),
    ],
)
def test_links_of_a_revision_do_not_lead_out_of_it(link: str, include: str, tmp_path: Path) -> None:
    commit(tmp_path, {"pxerelay.yml": f"default: drop\ninclude: '{include}'\n"})
    (tmp_path / "more.yml").symlink_to(link)
    commit(tmp_path, {})
    revision = Revision("HEAD", tmp_path)
    if include.startswith("*"):
        assert len(load(Path("pxerelay.yml"), source=revision).documents) == 1
        return
    with pytest.raises(ConfigError, match="out of the repository"):
        load(Path("pxerelay.yml"), source=revision)


def test_a_glob_in_a_revision_is_matched_soon(tmp_path: Path) -> None:
    """With each star it took a hundred times as long: minutes with these."""
    name = "a" * 120
    commit(tmp_path, {"pxerelay.yml": "default: drop\ninclude: '*a*a*a*a*a*a*a*ab.yml'\n", name: ""})
    begun = time.monotonic()
    assert len(load(Path("pxerelay.yml"), source=Revision("HEAD", tmp_path)).documents) == 1
    assert time.monotonic() - begun < 10
