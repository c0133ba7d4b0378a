"""What a relay host is made of: a Debian image with systemd, and the wheels that it cannot fetch itself."""

import hashlib
import sys
from pathlib import Path

from tests.lab.command import CACHE, REPOSITORY, run
from tests.lab.podman import podman, prepare

IMAGE = "localhost/pxerelay-lab"
RELEASE = "bookworm"
PYTHON = "3.11"
"""The Python of that release, which the wheels must fit."""

HOOK = Path(__file__).with_name("image-hook")
PACKAGES = (
    "dbus",
    "iproute2",
    "procps",
    "python3",
    "python3-apt",
    "python3-venv",
    "sudo",
    "systemd",
    "systemd-sysv",
)
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
WHEELHOUSE = CACHE / "lab-wheelhouse"
FILL = REPOSITORY / "ansible" / "wheelhouse.py"
PROJECT = REPOSITORY / "pyproject.toml"


def image() -> str:
    """Return the relay host's image; builds it where this recipe has not been built yet."""
    prepare()
    bootstrap = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    bootstrap += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    name = f"{IMAGE}:{RELEASE}-{_digest(*bootstrap, HOOK.read_text())}"
    if podman("image", "exists", name, check=False).returncode == 0:
        return name
    archive = CACHE / "podman" / f"{RELEASE}.tar"
    archive.unlink(missing_ok=True)
    run([*bootstrap, f'--customize-hook="{HOOK}" "$1"', RELEASE, str(archive)], timeout=900)
    changes = ['CMD ["/sbin/lab-init"]', "STOPSIGNAL SIGRTMIN+3", "ENV container=podman"]
    podman("import", *[f"--change={change}" for change in changes], str(archive), name, timeout=300)
    archive.unlink()
    _forget_images_but(name)
    return name


def _forget_images_but(name: str) -> None:
    """Remove the images of older recipes, except where a container still runs one."""
    listed = podman("images", "--filter", f"reference={IMAGE}", "--format", "{{.Repository}}:{{.Tag}}")
    for other in listed.stdout.split():
        if other != name:
            podman("rmi", other, check=False)


def wheelhouse() -> Path:
    """Return the folder of wheels that pxerelay depends on; filled anew when its requirements change."""
    stamp = WHEELHOUSE.with_suffix(f".{PYTHON}-{_digest(PROJECT.read_text(), FILL.read_text())}")
    if not (stamp.exists() and WHEELHOUSE.exists()):
        run([sys.executable, str(FILL), str(WHEELHOUSE), "--python", PYTHON], timeout=300)
        for older in WHEELHOUSE.parent.glob(f"{WHEELHOUSE.name}.*"):
            older.unlink()
        stamp.touch()
    return WHEELHOUSE


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
