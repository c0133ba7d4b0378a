"""What the collection says of itself: `ansible-doc` of all that it has, its variables, tags and platforms."""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.lab.command import REPOSITORY, run
from tests.role.modules import plugin
from tests.role.plays import BIN, COLLECTIONS, ROLE, play

COLLECTION = REPOSITORY / "ansible"
NAME = "pxerelay.pxerelay"
KINDS = {"module": "modules", "lookup": "lookup"}


def _filters() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for path in sorted((COLLECTION / "plugins" / "filter").glob("*.py")):
        found |= plugin(f"filter.{path.stem}").FilterModule().filters()
    return found


def _names(kind: str) -> list[str]:
    if kind == "filter":
        return sorted(_filters())
    return sorted(path.stem for path in (COLLECTION / "plugins" / KINDS[kind]).glob("*.py"))


def _documented(folder: Path, kind: str, *names: str) -> dict[str, Any]:
    """Return what `ansible-doc` tells of these, with nobody's settings; the folder is for its own."""
    settings = folder / "ansible.cfg"
    settings.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_CONFIG": str(settings)}
    words = [str(BIN / "ansible-doc"), "--type", kind, "--json", *(f"{NAME}.{name}" for name in names)]
    said: dict[str, Any] = json.loads(run(words, env=environment, timeout=180).stdout)
    return said


def _page(name: str) -> dict[str, Any]:
    """Return the file that documents a filter."""
    found: dict[str, Any] = yaml.safe_load((COLLECTION / "plugins" / "filter" / f"{name}.yml").read_text())
    return found


def _specs() -> dict[str, Any]:
    specs: dict[str, Any] = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())
    entries: dict[str, Any] = specs["argument_specs"]
    return entries


@pytest.mark.parametrize("kind", ["module", "lookup", "filter"])
def test_each_has_a_page_with_examples_and_what_it_returns(kind: str, tmp_path: Path) -> None:
    names = _names(kind)
    pages = _documented(tmp_path, kind, *names)
    assert sorted(pages) == [f"{NAME}.{name}" for name in names]
    for called, page in pages.items():
        about = page["doc"]
        assert about["short_description"], called
        assert about["description"], called
        assert about["version_added"] == "1.0.0", called
        assert yaml.safe_load(page["examples"]), called
        assert f"{NAME}." in page["examples"], called
        assert all(one["description"] and one["type"] for one in page["return"].values()), called
        assert page["return"], called


def test_the_pages_of_filters_name_the_arguments_that_they_take() -> None:
    for name, function in _filters().items():
        about = _page(name)["DOCUMENTATION"]
        first, *others = inspect.signature(function).parameters.values()
        options = about["options"]
        assert sorted(options) == sorted(["_input", *(one.name for one in others)]), (name, first)
        assert about.get("positional", "") == ", ".join(one.name for one in others), name
        for one in others:
            needed = one.default is inspect.Parameter.empty
            assert options[one.name].get("required", False) is needed, (name, one.name)
            if not needed:
                assert options[one.name].get("default") == one.default, (name, one.name)


def test_the_examples_of_filters_play_and_return_what_the_pages_say(tmp_path: Path) -> None:
    tasks: list[dict[str, Any]] = []
    for name in _filters():
        page = _page(name)
        (example,) = yaml.safe_load(page["EXAMPLES"])
        tasks.append({**example, "name": name})
        returned = page["RETURN"]["_value"]
        if "sample" in returned:
            variables = {**example.get("vars", {}), "found": example["ansible.builtin.debug"]["msg"]}
            same = {"that": "found == sample", "fail_msg": "{{ found | to_json }}", "quiet": True}
            variables["sample"] = returned["sample"]
            tasks.append({"name": f"{name} says so", "ansible.builtin.assert": same, "vars": variables})
    playbook = tmp_path / "examples.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], width=10_000)
    )
    done = play(tmp_path, playbook, Path("localhost,"), "--connection", "local")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_each_entry_of_the_role_is_declared(tmp_path: Path) -> None:
    named = {
        name
        for path in (COLLECTION / "playbooks").glob("*.yml")
        for name in re.findall(r"tasks_from: (\w+)", path.read_text())
    }
    named |= {
        found[1]
        for path in (ROLE / "tasks").glob("*.yml")
        if (found := re.search(r"^# .*`tasks_from: (\w+)`", path.read_text(), re.MULTILINE))
        and found[1] == path.stem
    }
    assert named >= {"batch", "fleet", "mapping", "rollback"}
    entries = _specs()
    assert named | {"main"} <= entries.keys()
    assert all((ROLE / "tasks" / f"{name}.yml").exists() for name in entries)
    for name, entry in entries.items():
        assert entry["short_description"], name
        assert entry["description"], name
        assert entry["version_added"] == "1.0.0", name
    page = _documented(tmp_path, "role", "pxerelay")[f"{NAME}.pxerelay"]
    assert page["entry_points"].keys() == entries.keys()


def test_variables_of_several_entries_are_declared_alike() -> None:
    entries = _specs()
    for name, entry in entries.items():
        for variable, option in entry["options"].items():
            if variable != "pxerelay_state":  # that of monitoring removes other things
                assert option == entries["main"]["options"].get(variable, option), (name, variable)


def test_the_defaults_list_every_variable_with_a_value_that_it_may_have() -> None:
    text = (ROLE / "defaults" / "main.yml").read_text()
    listed = re.findall(r"^(?:# )?(pxerelay_\w+): ", text, re.MULTILINE)
    options: dict[str, Any] = {}
    for entry in _specs().values():
        options = entry["options"] | options
    assert sorted(listed) == sorted(options)
    values = yaml.safe_load(re.sub(r"^# (?=pxerelay_\w+: )", "", text, flags=re.MULTILINE))
    found = ArgumentSpecValidator(options).validate(values)
    assert found.error_messages == []


def test_the_tags_are_documented() -> None:
    tags = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__pxerelay_known_tags"]
    assert tags == ["pxerelay_install", "pxerelay_service", "pxerelay_mapping"]
    for readme in (ROLE / "README.md", COLLECTION / "README.md"):
        text = readme.read_text()
        assert all(f"`{tag}`" in text or f" {tag}`" in text for tag in tags), readme


def test_the_platforms_that_are_named_are_those_that_are_tested() -> None:
    tested = {
        platform["release"]
        for path in (REPOSITORY / "molecule").glob("*/molecule.yml")
        for platform in yaml.safe_load(path.read_text()).get("platforms", [])
    }
    (platform,) = yaml.safe_load((ROLE / "meta" / "main.yml").read_text())["galaxy_info"]["platforms"]
    assert platform["name"] == "Debian"
    assert set(platform["versions"]) == tested
