"""`make image`: a container image of Debian's smallest tree and the wheel, as an archive in dist.

Nothing is fetched but Debian packages: no registry, no base image. Built again it has the same octets, as
long as Debian's packages are the same.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from release import deb, source, wheel

RELEASE = "trixie"
USER, UID = "pxerelay", 967
PYTHON = "/usr/libexec/pxerelay/python3"
"""An interpreter with the daemon's two capabilities: no root is needed. Commands run by the plain one."""

CONFIG = "/etc/pxerelay/pxerelay.yml"
LEFT_OUT = (
    "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*",
    "/usr/share/lintian/*", "/usr/lib/*/gconv/*", "/usr/share/bash-completion/*",
    "/usr/share/zoneinfo/right/*",
)  # fmt: skip
"""What the daemon and its commands never read: half of the tree."""

COPYRIGHTS = "/usr/share/doc/*/copyright"
"""Who passes the packages on has to pass their licences on too."""

CONTENT = "org.opencontainers.image"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SETTINGS = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
"""Docker's types in OCI's layout: an image of OCI's own types has no health check, and podman drops it."""


def tree(target: Path) -> None:
    """Write the root file system as a tar archive."""
    with tempfile.TemporaryDirectory() as folder:
        package = wheel.build(Path(folder))
        site = '"$1/usr/lib/python3/dist-packages"'
        hooks = (
            f'python3 -m zipfile --extract "{package}" {site}',
            f"rm -r {site}/pxerelay-*.data",
            'rm -f "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old',
            'rm -r "$1"/usr/lib/python3.*/test "$1"/usr/lib/python3.*/pydoc_data',
            f'install -D -m 755 "{source.REPOSITORY}/release/debian/bin/pxerelay" "$1/usr/bin/pxerelay"',
            f'install -D -m 644 "{source.REPOSITORY}/release/debian/pxerelay.yml" "$1{CONFIG}"',
            f'chroot "$1" useradd --system --uid {UID} --home-dir /nonexistent {USER}',
            f'install -D -m 755 "$1/usr/bin/python3" "$1{PYTHON}"',
            f'setcap cap_net_raw,cap_net_bind_service=ep "$1{PYTHON}"',
            f'install -d -o {UID} -g {UID} -m 750 "$1/run/pxerelay"',
        )
        source.run(
            "mmdebstrap",
            "--variant=essential",
            f"--include=passwd,{','.join(deb.depends())}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
            f"--dpkgopt=path-include={COPYRIGHTS}",
            *(f"--customize-hook={hook}" for hook in hooks),
            RELEASE,
            str(target),
        )


def build(target: Path) -> Path:
    """Build the image; return its archive, which `podman load` takes, and `docker load`.

    It is an OCI image layout in a tar file (https://github.com/opencontainers/image-spec, image-layout.md),
    with a manifest of Docker's (https://distribution.github.io/distribution/spec/manifest-v2-2/), and the
    manifest.json of `docker save` for programs that know no layouts.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "tree.tar")
        tree(plain)
        octets = plain.read_bytes()
    written = target / f"pxerelay-{source.version()}-image.tar"
    with tarfile.open(written, "w") as archive:
        blobs = _Blobs(archive)
        layer = blobs.add(gzip.compress(octets, mtime=0), LAYER)
        config = blobs.add(_config(hashlib.sha256(octets).hexdigest()), SETTINGS)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        entry = blobs.add(_json(manifest), MANIFEST)
        entry["annotations"] = {f"{CONTENT}.ref.name": f"pxerelay:{source.version()}"}
        blobs.write("index.json", _json({"schemaVersion": 2, "manifests": [entry]}))
        blobs.write("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        saved = {
            "Config": _place(config["digest"]),
            "RepoTags": [f"localhost/pxerelay:{source.version()}"],
            "Layers": [_place(layer["digest"])],
        }
        blobs.write("manifest.json", _json([saved]))
    return written


def _config(layer: str) -> bytes:
    when = datetime.fromtimestamp(source.date(), timezone.utc).isoformat()
    return _json(
        {
            "created": when,
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": str(UID),
                "Cmd": [PYTHON, "-m", "pxerelay", "run", "--config", CONFIG],
                "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
                "StopSignal": "SIGTERM",
                "Labels": {f"{CONTENT}.title": "pxerelay", f"{CONTENT}.version": source.version()},
                "Healthcheck": {
                    "Test": ["CMD", "pxerelay", "healthy"],
                    "Interval": 10 * 10**9,
                    "Timeout": 3 * 10**9,
                    "StartPeriod": 10 * 10**9,
                    "Retries": 3,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created": when, "created_by": "make image"}],
        }
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


class _Blobs:
    """The files of an image layout."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def write(self, name: str, octets: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime = len(octets), source.date()
        self._archive.addfile(entry, io.BytesIO(octets))

    def add(self, octets: bytes, kind: str) -> dict[str, Any]:
        """Write a blob; return what others name it by."""
        digest = f"sha256:{hashlib.sha256(octets).hexdigest()}"
        self.write(_place(digest), octets)
        return {"mediaType": kind, "digest": digest, "size": len(octets)}


if __name__ == "__main__":
    print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else source.DIST))
