"""Write the locks of what pxerelay depends on, without the page and with it: each version, with checksums.

    python3 ansible/lock.py            # the newest that the index has
    python3 ansible/lock.py --check    # has it all that pyproject.toml asks for? 1 if not; asks no index

The role installs nothing else on a relay host; `make wheelhouse` fetches these. Needs Python 3.11, and pip.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import tomllib

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = REPOSITORY / "ansible" / "roles" / "pxerelay" / "files" / "requirements.lock"
WEB_LOCK = LOCK.with_name("requirements-web.lock")
"""The same for a host that serves the page: all of it, for pip takes one of them."""

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
ABIS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
FOR_OLDER_PYTHONS = {LOCK: ("typing-extensions",), WEB_LOCK: ("exceptiongroup", "typing-extensions")}
"""pip reads a marker such as `python_version < "3.13"` for the Python it runs on, not for the one it is told;
what only some Pythons need is named here, and does no harm to others."""

HEAD = """\
# What the daemon{page} depends on, for CPython {pythons} on {machines}. \
Written by ansible/lock.py (`make lock`).
"""
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MARKER = re.compile(r' ; python_version in "([0-9. ]+)"')


def requirements(lock: Path = LOCK, repository: Path = REPOSITORY) -> list[str]:
    """Return what the daemon depends on, or it and the page, as pip is asked for it."""
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    page = project["optional-dependencies"]["web"] if lock == WEB_LOCK else []
    return [*project["dependencies"], *page, *FOR_OLDER_PYTHONS[lock]]


def platform(python: str, machine: str) -> list[str]:
    """Return pip's arguments for wheels of another Python and machine."""
    words = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    return words + [f"--platform={abi}_{machine}" for abi in ABIS]


def normal(name: str) -> str:
    """Return a project's name as all its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolved(lock: Path, python: str, machine: str) -> Iterable[tuple[str, str, str]]:
    """Yield name, version and checksum of each wheel that the index has; CalledProcessError if pip fails."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    pip += ["--dry-run", "--ignore-installed", "--report=-", "--target=/nonexistent"]
    done = subprocess.run(
        [*pip, *platform(python, machine), *requirements(lock)], check=True, stdout=subprocess.PIPE
    )
    for one in json.loads(done.stdout)["install"]:
        checksum = one["download_info"]["archive_info"]["hashes"]["sha256"]
        yield normal(one["metadata"]["name"]), one["metadata"]["version"], checksum


def written(
    found: dict[tuple[str, str], dict[str, set[str]]], pythons: tuple[str, ...], page: str = ""
) -> str:
    """Return the text of a lock: by name and version, the checksums for each Python."""
    versions: dict[str, int] = {}
    for name, _unused in found:
        versions[name] = versions.get(name, 0) + 1
    lines = [HEAD.format(page=page, pythons=", ".join(pythons), machines=" and ".join(MACHINES))]
    for (name, version), by_python in sorted(found.items()):
        several = versions[name] > 1
        marker = f' ; python_version in "{" ".join(sorted(by_python, key=pythons.index))}"' if several else ""
        sums = sorted(set().union(*by_python.values()))
        lines.append(
            f"{name}=={version}{marker} \\\n" + " \\\n".join(f"    --hash=sha256:{one}" for one in sums)
        )
        lines.append("\n")
    return "".join(lines)


def for_python(text: str, python: str) -> str:
    """Return what of a lock is for a Python, without markers: pip reads those for the Python it runs on."""
    kept = []
    for entry in text.replace(" \\\n", " ").splitlines():
        marker = _MARKER.search(entry)
        if entry and not entry.startswith("#") and (not marker or python in marker[1].split()):
            kept.append(_MARKER.sub("", entry))
    return "\n".join(kept) + "\n"


def missing(text: str, lock: Path = LOCK) -> list[str]:
    """Return what the daemon depends on, or it and the page, and the text does not have."""
    names = {normal(line.partition("==")[0]) for line in text.splitlines() if "==" in line}
    wanted = (_NAME.match(requirement) for requirement in requirements(lock))
    return sorted(normal(found[0]) for found in wanted if found and normal(found[0]) not in names)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Write the locks of what pxerelay depends on.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing, ask no index; 1 if it lacks something"
    )
    if parser.parse_args().check:
        lacks = {lock: missing(lock.read_text("utf-8"), lock) for lock in (LOCK, WEB_LOCK)}
        for lock, names in lacks.items():
            if names:
                print(f"{lock} lacks {', '.join(names)}: type make lock", file=sys.stderr)
        return 1 if any(lacks.values()) else 0
    for lock, page in ((LOCK, ""), (WEB_LOCK, " and the page")):
        found: dict[tuple[str, str], dict[str, set[str]]] = {}
        try:
            for python in PYTHONS:
                for machine in MACHINES:
                    for name, version, checksum in resolved(lock, python, machine):
                        found.setdefault((name, version), {}).setdefault(python, set()).add(checksum)
        except subprocess.CalledProcessError as error:
            print(f"pip could not resolve them: exit {error.returncode}; see above", file=sys.stderr)
            return 1
        lock.write_text(written(found, PYTHONS, page), "utf-8")
        print(f"{len(found)} versions in {lock}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
