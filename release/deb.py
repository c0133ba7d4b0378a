"""`make deb`: the Debian package, in dist.

The package has no copy of what the repository says elsewhere: its service is the role's, its changelog and
version are the project's.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from email.utils import formatdate
from pathlib import Path

import jinja2
import yaml

from release import source

ROLE = source.REPOSITORY / "ansible/roles/pxerelay"
HOST = {
    "__pxerelay_service_program": "/usr/bin/pxerelay",
    "__pxerelay_service_folder": "/usr/bin/pxerelay",
    "__pxerelay_config_file": "/etc/pxerelay/pxerelay.yml",
    "__pxerelay_interpreter": "/usr/bin/python3",
    "__pxerelay_metrics_port": "",
    "__pxerelay_dhcpv4": True,
    "__pxerelay_dhcpv6": True,  # nobody knows what the file will say; without dhcpv6 no IPv6 socket is opened
    "__pxerelay_python_said": [],
    "__pxerelay_web_program": "/usr/bin/pxerelay",
    "__pxerelay_web_folder": "/usr/bin/pxerelay",
    "__pxerelay_web_interpreters": "/usr/bin/python3",
    "__pxerelay_web_config": "/etc/pxerelay-web.yml",
    "__pxerelay_web_user": "pxerelay-web",
    "__pxerelay_web_reach": "any",  # nor what the page's own file will say
    "__pxerelay_web_port": "any",
    "__pxerelay_web_mark": "",
}
"""What the role's templates say of a host that has the package."""

BY_HAND = {
    "__pxerelay_service_program": "/opt/pxerelay/current/bin/pxerelay",
    "__pxerelay_interpreter": "/opt/pxerelay/current/bin/python",
    "__pxerelay_service_folder": "/opt/pxerelay",
    "__pxerelay_web_program": "/opt/pxerelay/current/bin/pxerelay",
    "__pxerelay_web_interpreters": "/opt/pxerelay/current/bin/python",
    "__pxerelay_web_folder": "/opt/pxerelay",
}
"""The same of a host where docs/web.md was followed."""


def service(name: str = "pxerelay", **host: str) -> str:
    """Return a unit: the role's, with the package's paths, or with others."""
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    text = (ROLE / f"templates/{name}.service.j2").read_text()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)  # noqa: S701  # no HTML
    rendered = environment.from_string(text).render(defaults | HOST | host)
    return f"# Change it by a drop-in: systemctl edit {name}\n" + rendered.partition("\n")[2] + "\n"


def limits() -> str:
    """Return the kernel's limits for the daemon's sockets, in octets, as the role sets them."""
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    return (
        "# pxerelay: how much may wait in its sockets when a building is switched on.\n"
        f"net.core.rmem_max = {defaults['pxerelay_receive_buffer']}\n"
        f"net.core.wmem_max = {defaults['pxerelay_send_buffer']}\n"
    )


def changelog() -> str:
    """Return the entry of this version, as dpkg wants it."""
    when = formatdate(source.date(), localtime=False)
    return (
        f"pxerelay ({source.version()}) unstable; urgency=medium\n\n"
        "  * What is new: /usr/share/doc/pxerelay/CHANGELOG.md.gz\n\n"
        f" -- pxerelay developers <pxerelay@example.net>  {when}\n"
    )


def depends(field: str = "Depends") -> list[str]:
    """Return the names of the packages that ours depends on, or of those that another field has."""
    text = (source.REPOSITORY / "release/debian/control").read_text()
    found = re.search(rf"^{field}:((?: .+\n)+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"release/debian/control has no {field}")
    return [one.split()[0] for one in found[1].split(",") if "$" not in one]


def build(target: Path) -> list[Path]:
    """Build the package; return its files in a folder, the source of `apt source` among them."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, f"pxerelay-{source.version()}")
        source.export(tree)
        debian = tree / "debian"
        shutil.move(tree / "release/debian", debian)
        (debian / "pxerelay.service").write_text(service())
        (debian / "pxerelay.pxerelay-web.service").write_text(service("pxerelay-web"))
        (debian / "60-pxerelay.conf").write_text(limits())
        (debian / "changelog").write_text(changelog())
        source.run("dpkg-buildpackage", "--no-sign", "--build=full", cwd=tree)
        return [Path(shutil.copy2(file, target)) for file in sorted(Path(folder).glob("pxerelay_*"))]


if __name__ == "__main__":
    for built in build(Path(sys.argv[1]) if len(sys.argv) > 1 else source.DIST):
        print(built)
