"""The container image: small, no root, two capabilities; and real clients boot through it."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from release import contents, image, source
from tests.lab import Dnsmasq, Host, Lab, udhcpc
from tests.lab.command import run as command
from tests.lab.image import IMAGE, fresh
from tests.lab.ownership import NAMESPACES
from tests.lab.podman import COMMAND, podman, prepare, remove
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


Start = Callable[[Sequence[str]], str]


@pytest.fixture
def start(network: Network, loaded: str, tmp_path: Path) -> Iterator[Start]:
    """Run the image on the relay host, by the words of a `podman run`; return the container's name."""
    name = f"pxr-image-{os.getpid()}"
    tmp_path.chmod(0o755)  # the container's user is another

    def started(words: Sequence[str]) -> str:
        (tmp_path / "pxerelay.yml").write_text(CONFIG)  # "then put in your servers and VLANs"
        assert words[:2] == ["podman", "run"]
        assert words[-1] == loaded
        there = {
            "pxerelay": name,
            "host": f"ns:{NAMESPACES / network.relay.namespace}",
            "/etc/pxerelay:/etc/pxerelay:ro": f"{tmp_path}:/etc/pxerelay:ro",
        }
        podman(*(there.get(word, word) for word in words[1:]))
        wait_until_it_answers(name)
        return name

    yield started
    remove([name])


def wait_until_it_answers(name: str) -> None:
    """Return once the daemon in a container answers."""
    deadline = time.monotonic() + 60
    while podman("exec", name, "pxerelay", "status", check=False).returncode:
        assert time.monotonic() < deadline, podman("logs", name, check=False)
        time.sleep(0.2)


@pytest.fixture
def pod(network: Network, loaded: str, tmp_path: Path) -> Iterator[str]:
    """Run the pod of the DaemonSet on the relay host; return the name of its container."""
    (document,) = yaml.safe_load_all((CONTAINERS / "pxerelay.yaml").read_text())
    template = document["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["image"] == loaded
    (volume,) = [one for one in template["spec"]["volumes"] if "configMap" in one]
    mapping = {"metadata": {"name": volume["configMap"]["name"]}, "data": {"pxerelay.yml": CONFIG}}
    name = f"pxr-pod-{os.getpid()}"
    template["metadata"]["name"] = name
    parts = [{"kind": "ConfigMap", **mapping}, {"kind": "Pod", **template}]
    text = yaml.safe_dump_all([{"apiVersion": "v1", **part} for part in parts])
    (tmp_path / "pod.yaml").write_text(text)
    there = ("nsenter", f"--net={NAMESPACES / network.relay.namespace}")
    try:
        command([*there, str(COMMAND), "play", "kube", str(tmp_path / "pod.yaml")])
        wait_until_it_answers(f"{name}-{container['name']}")
        yield f"{name}-{container['name']}"
    finally:
        podman("pod", "rm", "--force", name, check=False)


def readme(archive: Path, config: Path) -> list[str]:
    """Do what the README says before `podman run`, with a folder for /etc/pxerelay; return that line."""
    make, *others = commands("As a container")
    load, install, run, look = (line.split() for line in others)
    assert make == "make image"
    assert fnmatch(f"dist/{archive.name}", load[-1])
    podman(*load[1:-1], str(archive))
    command([word.replace("/etc/pxerelay", str(config)) for word in install], cwd=source.REPOSITORY)
    assert look == ["podman", "exec", "pxerelay", "pxerelay", "status"]
    return run


def quadlet() -> list[str]:
    """Return the words of the `podman run` that Debian 13's Quadlet makes of the unit.

    But for what is between podman and a service of systemd: the caller is none.
    """
    host = fresh("trixie", ("podman", "systemd"), (), f"{IMAGE}-quadlet")
    folder = f"{CONTAINERS}:/etc/containers/systemd:ro"
    generator = ("/usr/lib/systemd/system-generators/podman-system-generator", "--dryrun")
    told = podman("run", "--rm", "--network", "none", "--volume", folder, host, *generator).stdout
    (line,) = re.findall(r"^ExecStart=(.+)$", told, re.MULTILINE)
    program, *words = shlex.split(re.sub(r"--(cidfile|cgroups|sdnotify)=\S+ ", "", line))
    return [Path(program).name, *words]


def test_it_is_under_120_megabytes(loaded: str) -> None:
    assert int(podman("image", "inspect", "--format", "{{.Size}}", loaded).stdout) < 120_000_000


def test_it_is_built_again_octet_by_octet(archive: Path, tmp_path: Path) -> None:
    assert image.build(tmp_path).read_bytes() == archive.read_bytes()


def test_programs_that_know_no_layouts_take_it_too(archive: Path, loaded: str) -> None:
    """An older `docker load` reads manifest.json; podman's docker-archive does so too."""
    before = podman("image", "inspect", loaded).stdout
    podman("pull", "--quiet", f"docker-archive:{archive}")
    (about,) = json.loads(podman("image", "inspect", loaded).stdout)
    assert about["Id"] == json.loads(before)[0]["Id"]
    assert about["Healthcheck"]["Test"] == ["CMD", "pxerelay", "healthy"]


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
    start: Start, archive: Path, network: Network, tmp_path: Path
) -> None:
    name = start(readme(archive, tmp_path))
    clients = [network.add_client(mac[-1], mac) for mac in ("02:00:00:10:00:01", "02:00:00:10:00:02")]
    assert boots(clients) == ["altiris/bstrap.0", "ris/pxeboot.n12"]
    podman("healthcheck", "run", name)  # by the image's own: the command names none
    status = podman("exec", name, "cat", "/proc/1/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == [str(image.UID)] * 4
    assert int(facts["CapEff"], 16) == (1 << 10) | (1 << 13)
    (tmp_path / "pxerelay.yml").write_text(CONFIG.replace("01: altiris", "01: ris"))
    podman("exec", name, "pxerelay", "reload")
    assert boots(clients) == ["ris/pxeboot.n12", "ris/pxeboot.n12"]


def test_clients_boot_through_the_quadlet_unit_and_podman_finds_it_healthy(
    start: Start, network: Network
) -> None:
    words = quadlet()
    assert {"--read-only", "--health-cmd", "--cap-drop", "--network"} <= set(words)
    name = start(words)
    client = network.add_client("1", "02:00:00:10:00:01")
    assert boots([client]) == ["altiris/bstrap.0"]
    podman("healthcheck", "run", name)


def test_clients_boot_through_the_pod_of_the_daemon_set_and_its_probes_succeed(
    pod: str, network: Network
) -> None:
    """Podman runs what Kubernetes would run, of the same template."""
    client = network.add_client("1", "02:00:00:10:00:01")
    assert boots([client]) == ["altiris/bstrap.0"]
    status = podman("exec", pod, "cat", "/proc/1/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == [str(image.UID)] * 4
    assert int(facts["CapBnd"], 16) == (1 << 10) | (1 << 13)
    (document,) = yaml.safe_load_all((CONTAINERS / "pxerelay.yaml").read_text())
    (container,) = document["spec"]["template"]["spec"]["containers"]
    for probe in ("readinessProbe", "livenessProbe"):
        podman("exec", pod, *container[probe]["exec"]["command"])


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
