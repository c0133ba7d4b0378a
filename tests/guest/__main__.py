"""Run the tests of `tests/guest/inside` in the guest: python -m tests.guest [PYTEST ARGUMENT...]."""

from __future__ import annotations

import os
import sys

from tests.guest import machine

if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the guest is set apart from this machine by namespaces: run it as root")
    colour = "yes" if sys.stdout.isatty() else "no"
    code = machine.run([f"--color={colour}", *sys.argv[1:]])
    if code is None:
        sys.exit(f"the guest ended before the tests did, or was ended after {machine.SECONDS:.0f} s")
    sys.exit(code)
