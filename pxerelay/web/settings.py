"""The page's own configuration: a YAML file to frozen `Settings`, with all faults at once."""

from __future__ import annotations

import ipaddress
import json
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pxerelay.config import document, schema
from pxerelay.config.data import Document, Map
from pxerelay.config.findings import ConfigError, Finding

_FILE_NAME = "pxerelay-web.schema.json"

_MOST_OCTETS = 1 << 20
"""Octets of the file: it has some lines."""

_LAST_PORT = 65535


@dataclass(frozen=True)
class OtherRelay:
    """Another relay's page: its URL, files with a login and with the certificate that it must show."""

    name: str
    url: str
    login_file: str | None = None
    ca_file: str | None = None


@dataclass(frozen=True)
class Settings:
    """What the file says. It listens at `address` and `port`, or at the `path` of a Unix socket."""

    path: str | None
    address: str = ""
    port: int = 0
    names: tuple[str, ...] = ()
    certificate: str | None = None
    key: str | None = None
    password_file: str | None = None
    behind_proxy: tuple[str, ...] = ()
    relays: tuple[OtherRelay, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can connect, over TCP."""
        return self.path is None and ipaddress.ip_address(self.address).is_loopback

    @property
    def at(self) -> str:
        """Where it listens, for people."""
        if self.path is not None:
            return self.path
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}/"

    @property
    def hosts(self) -> frozenset[str] | None:
        """What the page may be called; None for anything.

        A stranger's page in the browser of somebody on this host could give its own name the address
        127.0.0.1, and then read what this page says: the name in the request tells it.
        """
        if not self.is_loopback or self.behind_proxy:
            return None
        return frozenset({self.address, "localhost", *(name.lower() for name in self.names)})


@cache
def wanted() -> dict[str, Any]:
    """Return the schema of the file, as shipped in the package."""
    loaded: dict[str, Any] = json.loads(pkgutil.get_data("pxerelay.web", _FILE_NAME) or b"")
    return loaded


def load(path: Path) -> Settings:
    """Read the file; ConfigError with every fault. An empty one has the default of everything."""
    try:
        with path.open("rb") as file:
            octets = file.read(_MOST_OCTETS + 1)
    except OSError as error:
        raise ConfigError([Finding(str(path), 0, 0, f"can't be read: {error.strerror}")]) from None
    if len(octets) > _MOST_OCTETS:
        raise ConfigError([Finding(str(path), 0, 0, "has more than 1 MiB; it needs some lines")])
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([Finding(str(path), 0, 0, "is not UTF-8; save it as UTF-8")]) from None
    return read(document.parse(str(path), text))


def read(found: Document) -> Settings:
    """Return what a document means; ConfigError with every fault."""
    data = Map() if found.data is None and not found.faults else found.data
    faults = list(found.faults)
    if not found.faults:
        faults += schema.faults(found, data, wanted())
    if not faults:
        faults += _crossed(found, data)
    if faults:
        raise ConfigError(sorted(faults))
    return _settings(data)


def _settings(data: Mapping[str, Any]) -> Settings:
    listen = data.get("listen", wanted()["properties"]["listen"]["default"])
    tls = data.get("tls", {})
    relays = []
    for name, value in data.get("relays", {}).items():
        told = {"url": value} if isinstance(value, str) else value
        relays.append(OtherRelay(name, told["url"].rstrip("/"), told.get("login_file"), told.get("ca_file")))
    path, address, port = _listen(listen)
    return Settings(
        path,
        address,
        port,
        tuple(data.get("names", ())),
        tls.get("certificate"),
        tls.get("key"),
        data.get("password_file"),
        tuple(str(ipaddress.ip_address(one)) for one in data.get("behind_proxy", ())),
        tuple(relays),
    )


def _listen(text: str) -> tuple[str | None, str, int]:
    """Return a path, or an address and a port; ValueError where these are none."""
    if text.startswith("/"):
        return text, "", 0
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 < number <= _LAST_PORT:
        raise ValueError(f"{number} is no port from 1 to {_LAST_PORT}")
    return None, str(ipaddress.ip_address(host.strip("[]"))), number


def _crossed(found: Document, data: Any) -> Iterator[Finding]:
    """Yield what is wrong with values that the schema accepts, and with some of them together."""
    for index, text in enumerate(data.get("behind_proxy", ())):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            mark = found.mark_of(("behind_proxy", index))
            yield found.finding(mark, f"behind_proxy[{index + 1}]: '{text}' is not an IPv4 or IPv6 address")
    for name, value in data.get("relays", {}).items():
        url = value if isinstance(value, str) else value["url"]
        try:
            port = urlsplit(url).port
        except ValueError:
            port = 0
        if port == 0:
            yield found.finding(
                found.mark_of(("relays", name)), f"relays.{name}: '{url}' has no port up to 65535"
            )
        if isinstance(value, dict) and "login_file" in value and not url.startswith("https:"):
            message = (
                f"relays.{name}: a login goes over https only; write https:// in `url:`, or no `login_file:`"
            )
            yield found.finding(found.mark_of(("relays", name)), message)
    if "listen" not in data:
        return
    mark = found.mark_of(("listen",))
    try:
        path, address, _ = _listen(data["listen"])
    except ValueError as error:
        yield found.finding(mark, f"listen: '{data['listen']}' can't be listened at: {error}")
        return
    if "tls" in data and path is not None:
        yield found.finding(
            found.mark_of(("tls",), key=True), "tls: a Unix socket has no TLS; the proxy in front has it"
        )
    if path is not None or ipaddress.ip_address(address).is_loopback or "behind_proxy" in data:
        return
    lacks = [key for key in ("tls", "password_file") if key not in data]
    if lacks:
        message = (
            f"listen: others than this host reach {address}, so {' and '.join(f'`{key}:`' for key in lacks)} "
            "must be set; or listen on 127.0.0.1 or a Unix socket, or name your proxy under `behind_proxy:`"
        )
        yield found.finding(mark, message)
