"""Coverage-guided fuzzing of the relay: `make fuzz`, or `python -m tests.fuzz [dhcpv6] SECONDS`.

What is found new goes to a scratch folder; what breaks the target is printed and kept there too.
`python -m tests.fuzz [dhcpv6] merge` then adds to the corpus the smallest inputs that reach what it does not
reach yet. The unit tests replay both corpora.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pxerelay"]):
    from tests.fuzz import target, target6

FAMILY = "dhcpv6"
"""The word that stands for DHCPv6; without it, DHCPv4 is fuzzed."""

HERE = Path(__file__)
SCRATCH = HERE.resolve().parents[2] / ".cache" / "fuzz"


def one_input(octets: bytes) -> None:
    """Check an input; libFuzzer takes no answer."""
    target.check(octets)


def one_input6(octets: bytes) -> None:
    """Check an input of DHCPv6."""
    target6.check(octets)


def main() -> None:
    """Fuzz for a number of seconds, or merge; the exit code is not 0 if something broke."""
    arguments = sys.argv[1:]
    family = arguments[:1] == [FAMILY]
    asked, *_ = [*arguments[family:], "20"]
    corpus = HERE.with_name("corpus6" if family else "corpus")
    scratch = SCRATCH.with_name("fuzz6") if family else SCRATCH
    scratch.mkdir(parents=True, exist_ok=True)
    options = ["-max_len=1600", f"-artifact_prefix={scratch}/"]
    if asked.startswith("-"):  # libFuzzer starts us once more while it merges
        options = arguments[family:]
    elif asked == "merge":
        options += ["-merge=1", str(corpus), str(scratch)]
    else:
        options += [f"-max_total_time={int(asked)}", str(scratch), str(corpus)]
    command = f"{sys.executable} -m tests.fuzz{f' {FAMILY}' if family else ''}"
    atheris.Setup([command, *options], one_input6 if family else one_input)
    atheris.Fuzz()


main()
