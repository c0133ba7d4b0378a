"""What the page imports: each package takes memory that its unit counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

STARTS = """\
import json, sys
from pathlib import Path
import pxerelay.cli
from pxerelay.web import settings
settings.load(Path(sys.argv[1]))
from pxerelay.web import serve
print(json.dumps(sorted(sys.modules)))
"""
"""All that `pxerelay web` imports until it listens."""

OTHERS = {
    *("anyio", "click", "exceptiongroup", "h11", "idna", "jinja2", "markupsafe", "sniffio", "starlette"),
    *("typing_extensions", "uvicorn", "yaml"),
}
"""Packages that starlette, uvicorn, Jinja and the reader of YAML are made of, in whichever version."""


def test_the_page_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text("listen: 127.0.0.1:8067\n")
    told = subprocess.run(
        [sys.executable, "-c", STARTS, str(config)], check=True, capture_output=True, text=True, timeout=120
    )
    modules = json.loads(told.stdout)
    tops = {name.partition(".")[0] for name in modules}
    installed = {
        name for name in tops - sys.stdlib_module_names if not name.startswith("_") and name != "pxerelay"
    }
    assert installed - OTHERS - {"cython_runtime"} == set()
    own = {".".join(name.split(".")[:2]) for name in modules if name.startswith("pxerelay.")}
    assert own <= {
        f"pxerelay.{name}"
        for name in ("cli", "commands", "config", "linux", "policy", "relay", "tools", "web", "wire")
    }
    tools = {name.split(".")[2] for name in modules if name.startswith("pxerelay.tools.")}
    assert tools == {"pictures"}
