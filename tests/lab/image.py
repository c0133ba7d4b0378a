"""What relay hosts are made of: Debian images with systemd, and wheels that they cannot fetch themselves."""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab.command import CACHE, REPOSITORY, run
from tests.lab.podman import podman, prepare

IMAGE = "localhost/pxerelay-lab"
RELEASES = {
    "bookworm": (),
    "trixie": (),
    "sid": ('--aptopt=Acquire::Check-Valid-Until "false"',),  # a mirror of it may be some days old
}
"""Debian's releases (Python 3.11, 3.13 and 3.14), with what mmdebstrap must be told of each."""

RELEASE = "bookworm"
"""The one of a lab that is not asked for another."""

HOOK = Path(__file__).with_name("image-hook")
PACKAGES = (
    "dbus",
    "iproute2",
    "keepalived",
    "procps",
    "python3",
    "python3-apt",
    "python3-jsonschema",
    "python3-prometheus-client",
    "python3-rich",
    "python3-venv",
    "python3-yaml",
    "sudo",
    "systemd",
    "systemd-sysv",
)
PAGE = ("python3-jinja2", "python3-starlette", "python3-uvicorn")
"""What the page for the help desk needs besides."""

AT_HAND = ("python3-jsonschema", "python3-prometheus-client", "python3-rich", "python3-yaml", *PAGE)
"""What apt is to install where the daemon comes as a Debian package."""

LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
WHEELHOUSE = CACHE / "lab-wheelhouse"
FILL = REPOSITORY / "ansible" / "wheelhouse.py"
LOCK = REPOSITORY / "ansible" / "roles" / "pxerelay" / "files" / "requirements.lock"


def image(release: str = RELEASE, *, ssh: bool = False, apt: bool = False) -> str:
    """Return the image of a relay host; builds it where this recipe has not been built yet.

    With `ssh` an OpenSSH server runs on it, as Debian sets that up. With `apt` it lacks what the daemon
    depends on, and apt has that at hand.
    """
    if apt:
        return fresh(release, [name for name in PACKAGES if name not in AT_HAND], AT_HAND, f"{IMAGE}-apt")
    if ssh:
        return _built(f"{IMAGE}-ssh", release, (*PACKAGES, "openssh-server"))
    return _built(IMAGE, release, PACKAGES)


def fresh(release: str, packages: Sequence[str], at_hand: Sequence[str], kind: str = f"{IMAGE}-fresh") -> str:
    """Return the image of a host that has these packages, and can install others without a network."""
    fetch = "apt-get install --quiet --yes --install-recommends --download-only " + " ".join(at_hand)
    options = [
        "--skip=cleanup/apt",
        '--aptopt=APT::Keep-Downloaded-Packages "true"',
        f'--customize-hook=chroot "$1" {fetch}',
    ]
    return _built(kind, release, packages, options)


def _built(kind: str, release: str, packages: Sequence[str], options: Sequence[str] = ()) -> str:
    prepare()
    bootstrap = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", *RELEASES[release]]
    bootstrap += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    bootstrap += options
    name = f"{kind}:{release}-{_digest(*bootstrap, HOOK.read_text())}"
    if podman("image", "exists", name, check=False).returncode == 0:
        return name
    archive = CACHE / "podman" / f"{release}.tar"
    archive.unlink(missing_ok=True)
    run([*bootstrap, f'--customize-hook="{HOOK}" "$1"', release, str(archive)], timeout=900)
    changes = ['CMD ["/sbin/lab-init"]', "STOPSIGNAL SIGRTMIN+3", "ENV container=podman"]
    podman("import", *[f"--change={change}" for change in changes], str(archive), name, timeout=300)
    archive.unlink()
    _forget_older_images(kind, release, name)
    return name


def _forget_older_images(kind: str, release: str, name: str) -> None:
    """Remove the release's images of older recipes, except where a container still runs one."""
    listed = podman("images", "--filter", f"reference={kind}", "--format", "{{.Repository}}:{{.Tag}}")
    for other in listed.stdout.split():
        if other.startswith(f"{kind}:{release}-") and other != name:
            podman("rmi", other, check=False)


def wheelhouse() -> Path:
    """Return the folder of wheels that pxerelay depends on; filled anew when the role's lock changes."""
    stamp = WHEELHOUSE.with_suffix(f".{_digest(LOCK.read_text(), FILL.read_text())}")
    if not (stamp.exists() and WHEELHOUSE.exists()):
        run([sys.executable, str(FILL), str(WHEELHOUSE)], timeout=300)
        for older in WHEELHOUSE.parent.glob(f"{WHEELHOUSE.name}.*"):
            older.unlink()
        stamp.touch()
    return WHEELHOUSE


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
