"""The container image: small, no root, two capabilities; and real clients boot through it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from release import contents, image, source
from tests.lab import Dnsmasq, Host, Lab, udhcpc
from tests.lab.command import run as command
from tests.lab.ownership import NAMESPACES
from tests.lab.podman import podman, prepare, remove
from tests.lab.topology import Network
from tests.release.readme import commands

NAME = f"localhost/pxerelay:{source.version()}"
CONTAINERS = source.REPOSITORY / "release/containers"
CONFIG = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces: {vlan10: {}}
rules: {02:00:00:10:00:01: altiris}
"""


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the image."""
    return image.build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def loaded(archive: Path) -> str:
    """Have podman know the image; return its name."""
    prepare()
    assert NAME in podman("load", "--input", str(archive)).stdout
    return NAME


@pytest.fixture
def network() -> Iterator[Network]:
    """Build the standard network, with both servers up."""
    with Lab(f"image_{os.getpid()}") as lab:
        network = Network(lab).build()
        for one in network.servers:
            Dnsmasq(one.host, address=one.address, pools=one.pools, bootfile=one.bootfile).start()
        yield network


@pytest.fixture
def run(network: Network, archive: Path, loaded: str, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Run the image on the relay host, by README's commands; return the container's name."""
    name = f"pxr-image-{os.getpid()}"
    tmp_path.chmod(0o755)  # the container's user is another

    def run() -> str:
        make, *others = commands("As a container")
        load, install, start, look = (line.split() for line in others)
        assert make == "make image"
        assert fnmatch(f"dist/{archive.name}", load[-1])
        podman(*load[1:-1], str(archive))
        command([word.replace("/etc/pxerelay", str(tmp_path)) for word in install], cwd=source.REPOSITORY)
        (tmp_path / "pxerelay.yml").write_text(CONFIG)  # "then put in your servers and VLANs"
        assert start[-1] == loaded
        there = {
            "pxerelay": name,
            "host": f"ns:{NAMESPACES / network.relay.namespace}",
            "/etc/pxerelay:/etc/pxerelay:ro": f"{tmp_path}:/etc/pxerelay:ro",
        }
        podman(*(there.get(word, word) for word in start[1:]))
        assert look[:3] == ["podman", "exec", "pxerelay"]
        deadline = time.monotonic() + 60
        while podman("exec", name, *look[3:], check=False).returncode:
            assert time.monotonic() < deadline, podman("logs", name, check=False)
            time.sleep(0.2)
        return name

    yield run
    remove([name])


def test_it_is_under_120_megabytes(loaded: str) -> None:
    assert int(podman("image", "inspect", "--format", "{{.Size}}", loaded).stdout) < 120_000_000


def test_it_is_built_again_octet_by_octet(archive: Path, tmp_path: Path) -> None:
    assert image.build(tmp_path).read_bytes() == archive.read_bytes()


def test_the_bill_of_materials_has_what_dpkg_has_in_there(archive: Path, loaded: str) -> None:
    show = ("dpkg-query", "--show", "--showformat=${Package} ${Version} ${Architecture} ${source:Package}\\n")
    told = podman("run", "--rm", "--network", "none", loaded, *show).stdout.splitlines()
    held = contents.read(archive)
    assert [f"{one.name} {one.version} {one.architecture} {one.source}" for one in held.packages] == sorted(
        told
    )
    there = podman("run", "--rm", "--network", "none", loaded, "ls", "/usr/share/doc/libc6").stdout
    assert there == "copyright\n", "licences, and no other documents"


def test_clients_boot_through_it_and_it_is_not_root(
    run: Callable[[], str], network: Network, tmp_path: Path
) -> None:
    name = run()
    clients = [network.add_client(mac[-1], mac) for mac in ("02:00:00:10:00:01", "02:00:00:10:00:02")]
    assert boots(clients) == ["altiris/bstrap.0", "ris/pxeboot.n12"]
    status = podman("exec", name, "cat", "/proc/1/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == [str(image.UID)] * 4
    assert int(facts["CapEff"], 16) == (1 << 10) | (1 << 13)
    (tmp_path / "pxerelay.yml").write_text(CONFIG.replace("01: altiris", "01: ris"))
    podman("exec", name, "pxerelay", "reload")
    assert boots(clients) == ["ris/pxeboot.n12", "ris/pxeboot.n12"]


def boots(clients: Sequence[Host]) -> list[str | None]:
    """Return the boot file that each client is told."""
    leases = [udhcpc(client, tries=10) for client in clients]
    return [lease.bootfile if lease else None for lease in leases]


def test_the_examples_name_this_image_and_what_it_needs() -> None:
    unit = (CONTAINERS / "pxerelay.container").read_text()
    assert f"Image={NAME}\n" in unit
    (document,) = yaml.safe_load_all((CONTAINERS / "pxerelay.yaml").read_text())
    spec = document["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == NAME
    assert spec["hostNetwork"] is True
    assert container["securityContext"]["runAsUser"] == image.UID
    assert (
        json.dumps(container["securityContext"]["capabilities"]["add"]) == '["NET_RAW", "NET_BIND_SERVICE"]'
    )
