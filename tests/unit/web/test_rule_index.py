"""Where rules stand and whose they are, from the files that the daemon loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pxerelay.config.load import load
from pxerelay.policy.rules import Choice, Match, Reason
from pxerelay.tools.simulate.review import Origins
from pxerelay.web.rule_index import RuleIndex, build

MAIN = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
include: rules.yml
interfaces:
  vlan10: {}
  vlan20:
    pxe_only: false
    default: altiris
classes:
  - name: arm
    arch: [11]
    server: altiris
  - {server: ris, name: http, vendor_class: HTTPClient}
rules:
  "02:00:00:10:00:01": {server: altiris, owner: Lab Team, until: "2099-12-31", note: room 12}
  02-00-00-10-00-02: [ris, altiris]
  02:80:64: altiris
"""

MORE = """\
# more
rules:
  0200.0010.0003: ris  # a comment
  52:54:00:12:3?:*: &anchor altiris
  52:54:00:*: *anchor
"""


def files(folder: Path) -> dict[str, Any]:
    (folder / "pxerelay.yml").write_text(MAIN)
    (folder / "rules.yml").write_text(MORE)
    loaded = load(folder / "pxerelay.yml")
    return {"sha256": loaded.sha256, "files": loaded.files}


def test_each_entry_stands_where_explain_says(tmp_path: Path) -> None:
    config = files(tmp_path)
    index = build(config)
    loaded = load(tmp_path / "pxerelay.yml")
    origins = Origins(loaded.documents)
    entries = [
        (Reason.MAC, "02:00:00:10:00:01"),
        (Reason.MAC, "02:00:00:10:00:02"),
        (Reason.MAC, "02:00:00:10:00:03"),
        (Reason.OUI, "02:80:64"),
        (Reason.WILDCARD, "52:54:00:12:3?:*"),
        (Reason.WILDCARD, "52:54:00:*"),
        (Reason.CLASS, "arm"),
        (Reason.CLASS, "http"),
        (Reason.INTERFACE_DEFAULT, "vlan20"),
        (Reason.DEFAULT, "default"),
    ]
    assert index.trouble == ""
    assert len(index) == 6
    choice = Choice("", ())
    for reason, rule in entries:
        found = index.find(reason, rule)
        assert found is not None, rule
        assert found.source == origins.of(Match(reason, rule, choice)), rule
    told = index.find(Reason.MAC, "02:00:00:10:00:01")
    assert told is not None
    assert (told.owner, told.until, told.note) == ("Lab Team", "2099-12-31", "room 12")
    assert told.server == "altiris"


def test_rules_are_found_by_what_is_said_of_them_by_digits_and_by_blocks(tmp_path: Path) -> None:
    index = build(files(tmp_path))

    def keys(found: Any) -> list[str]:
        return [entry.key for entry in found]

    assert keys(index.of_remark("lab", 9)) == ["02:00:00:10:00:01"]
    assert keys(index.of_remark("ALTIRIS", 9))[0] == "02:00:00:10:00:01"
    assert "02:80:64:*" in keys(index.of_remark("altiris", 9))
    assert keys(index.of_digits("00001000", 9)) == [f"02:00:00:10:00:0{at}" for at in (1, 2, 3)]
    assert keys(index.of_digits("00001000", 2)) == ["02:00:00:10:00:01", "02:00:00:10:00:02"]
    assert keys(index.of_digits("540000", 9)) == [], "what is not fixed is no digit"
    assert keys(index.of_blocks(["028064", "525400"], 9)) == ["02:80:64:*", "52:54:00:*", "52:54:00:12:3*"]
    assert index.find(Reason.MAC, "02:00:00:10:00:77") is None
    assert index.find(Reason.WILDCARD, "02:00:00:10:00:0?") is None


def test_files_that_are_others_by_now_are_not_believed(tmp_path: Path) -> None:
    config = files(tmp_path)
    (tmp_path / "rules.yml").write_text("rules: {}\n")
    index = build(config)
    assert "rules.yml is not as the daemon loaded it" in index.trouble
    assert index.find(Reason.OUI, "02:80:64") is not None, "of the other file it tells"
    (tmp_path / "rules.yml").unlink()
    assert "No such file" in build(config).trouble


def test_a_file_that_is_no_mapping_has_no_rules(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    for text in (
        "",
        "5",
        "[1, {a: 2}]",
        "rules: 5",
        "rules: {1: {2: 3}}",
        "? {a: 1}\n: 2\n",
        "classes: [5, [6]]",
    ):
        path.write_text(text)
        index = build({"files": {str(path): hashlib.sha256(text.encode()).hexdigest()}})
        assert (len(index), index.trouble) == (0, ""), text
    assert len(RuleIndex()) == 0
