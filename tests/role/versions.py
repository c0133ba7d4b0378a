"""The releases of ansible-core that the role is tested with, each in a virtual environment of its own."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import CACHE, run


@dataclass(frozen=True)
class Ansible:
    """A release of ansible-core on a Python of the control machine."""

    release: str
    python: str

    def __str__(self) -> str:
        """Return what people call it."""
        return f"ansible-core {self.release} on Python {self.python}"

    def interpreter(self) -> Path | None:
        """Return that Python, None where it is not on this machine: pyenv's, or one on the path."""
        pyenvs = sorted(Path.home().glob(f".pyenv/versions/{self.python}.*/bin/python"))
        if pyenvs:  # on the path there are pyenv's own programs, also for what it does not use just now
            return pyenvs[-1]
        found = shutil.which(f"python{self.python}")
        return Path(found) if found else None

    def program(self) -> Path:
        """Return its `ansible-playbook`; the first call installs it. LookupError without its Python."""
        home = CACHE / "ansible" / f"{self.release}-python{self.python}"
        home.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{home}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests run at once
            found = home / "bin" / "ansible-playbook"
            if not found.exists():
                self._install(home)
        return found

    def _install(self, home: Path) -> None:
        interpreter = self.interpreter()
        if interpreter is None:
            raise LookupError(f"{self} needs python{self.python}, on the path or by pyenv")
        run([str(interpreter), "-m", "venv", "--clear", str(home)], timeout=120)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([str(home / "bin" / "python"), *install, f"ansible-core=={self.release}.*"], timeout=300)


MATRIX = (
    Ansible("2.17", "3.11"),
    Ansible("2.18", "3.11"),
    Ansible("2.19", "3.11"),
    Ansible("2.18", "3.13"),
    Ansible("2.19", "3.13"),
    Ansible("2.20", "3.13"),
    Ansible("2.21", "3.13"),
)
OLDEST = MATRIX[0]

SETTINGS = {
    "as it is": {},
    "inject_facts_as_vars=false": {"ANSIBLE_INJECT_FACT_VARS": "false"},
    "jinja2_native": {"ANSIBLE_JINJA2_NATIVE": "true"},
    "strategy: free": {"ANSIBLE_STRATEGY": "free"},
}
"""What an administrator may have set in ansible.cfg, as the environment has it."""

ALL_AT_ONCE = {name: value for setting in SETTINGS.values() for name, value in setting.items()}
