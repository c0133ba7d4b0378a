"""The process that loads a configuration, a Python with this module (`loader_process`).

It writes to its standard output the version of the program on a line, and then one pickle: a Loaded, or the
findings of a configuration that has faults.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from pxerelay import __version__
from pxerelay.config.findings import ConfigError
from pxerelay.config.load import load


def main(arguments: list[str]) -> None:
    """Load, write the result, end."""
    path, wanted = arguments
    result: Any
    try:
        loaded = load(Path(path))
        result = loaded if wanted == "documents" else replace(loaded, documents=())
    except ConfigError as error:
        result = error.findings
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(__version__.encode() + b"\n")
        pickle.dump(result, out, pickle.HIGHEST_PROTOCOL)
    os._exit(0)  # with the table's memory as it is: freeing it piece by piece takes time for nothing
