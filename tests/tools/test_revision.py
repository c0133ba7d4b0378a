"""Configuration files out of git are those that a checkout of the same revision has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxerelay.config.findings import ConfigError
from pxerelay.config.load import UnreadableError, load
from pxerelay.tools.diff.git_source import Revision, RevisionError, split
from tests.tools.repositories import commit

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
