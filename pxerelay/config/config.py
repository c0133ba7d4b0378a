"""Documents to a frozen Config: names resolved, and every fault that no schema can see.

All faults of all files are found in one go. Where the schema has already complained of a value, the
cross-checks here pass over it in silence.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pxerelay.config import schema
from pxerelay.config.budget import TooMuchError
from pxerelay.config.data import Document, List, Map, Mark
from pxerelay.config.findings import MOST, ConfigError, Finding
from pxerelay.config.mapping import RuleReader
from pxerelay.config.network import NetworkReader, octets, templates
from pxerelay.config.override import clashes
from pxerelay.config.resolve import EnoughError, Resolver
from pxerelay.policy.model import Config
from pxerelay.policy.rules import ClientClass, Default, Policy, Reason
from pxerelay.wire.agentinfo import PLACEHOLDERS, AgentInfoSetting
from pxerelay.wire.arch import ARCHITECTURES, EXPECTED, NUMBER_OF
from pxerelay.wire.globs import Names
from pxerelay.wire.text import ends

_LAST_PORT = 0xFFFF

_LOOPBACK_PORT = re.compile(r"127(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}:[0-9]{1,9}")
"""What looks like a loopback address and a port."""

_LONGEST_PATH = 107
"""Octets of a socket's path (unix(7)); the schema counts characters."""

METRICS_SOCKET = "/run/pxerelay/metrics.sock"
"""What messages give as an example."""


@dataclass(frozen=True)
class Include:
    """One path or glob of `include`, and where it stands."""

    path: str
    mark: Mark


def backslashed(include: Include) -> str:
    """Return what to write for a path with backslashes, which are parts of names here; nothing for others."""
    if "\\" not in include.path:
        return ""
    slashed = include.path.replace("\\", "/")
    return f"; a \\ parts no folders here, write {ends(slashed)}"


def includes(main: Document) -> list[Include]:
    """Return what the main file includes, as written."""
    if not isinstance(main.data, Map) or "include" not in main.data:
        return []
    value = main.data["include"]
    if isinstance(value, str):
        return [Include(value, main.data.value_mark("include"))]
    if isinstance(value, List):
        return [Include(item, value.mark(at)) for at, item in enumerate(value) if isinstance(item, str)]
    return []


def is_socket_path(endpoint: str) -> bool:
    """Whether `metrics` is a path that a socket may have, not an address and port or a folder's path."""
    return endpoint.startswith("/") and schema.pattern_of("endpoint").search(endpoint) is not None


def build(main: Document, rule_files: Sequence[Document] = (), met_before: Sequence[Finding] = ()) -> Config:
    """Return the configuration that a main file and its rule files make.

    Raises ConfigError with all faults, those of the main file first, each file's from top to bottom,
    `met_before` among them: what was met while the files were read.
    """
    builder = _Builder(main, rule_files)
    config = None
    with contextlib.suppress(EnoughError):
        config = builder.config()
    found = [*met_before, *builder.resolver.findings]
    places: dict[str, set[Mark]] = {}
    for finding in found:
        places.setdefault(finding.file, set()).add(Mark(finding.line, finding.column))
    for document in (main, *rule_files):
        definition = None if document is main else "ruleFile"
        found.extend(schema.findings(document, definition, places.get(document.name, ())))
        found.extend(document.faults)
    if found or config is None:
        order = {document.name: at for at, document in enumerate((main, *rule_files))}
        told = sorted(set(found), key=lambda f: (order.get(f.file, 0), f.line, f.column, f.message))
        if len(told) > MOST:
            more = f"there are more than {MOST} faults; mend these, and look again"
            told = [*told[:MOST], Finding(main.name, 0, 0, more)]
        raise ConfigError(told)
    return config


class _Builder:
    """One run over the documents."""

    def __init__(self, main: Document, rule_files: Sequence[Document]) -> None:
        self.main = main
        self.documents = (main, *rule_files)
        self.resolver = Resolver(main)
        self.data: Map = main.data if isinstance(main.data, Map) else Map()
        self.network = NetworkReader(main, self.resolver)

    def fault(self, path: Sequence[str | int], message: str) -> None:
        """Note a fault at the value of a path in the main file."""
        self.resolver.fault(self.main, path, message)

    def config(self) -> Config | None:
        """Read everything; None if there is too little to make a configuration of."""
        try:
            return self._config()
        except TooMuchError as error:
            self.fault(("interfaces",), str(error))
            return None

    def _config(self) -> Config | None:
        default = self.resolver.choice(self.main, self.data.get("default"), ("default",))
        dhcp_servers = self.resolver.targets(self.main, self.data.get("dhcp_servers"), ("dhcp_servers",))
        interfaces = tuple(self.network.interfaces())
        rules = RuleReader(self.documents, self.resolver).table()
        classes = tuple(self._classes())
        source = self.network.sources()
        option82 = self._option82()
        dhcpv6 = self.network.dhcpv6()
        relayed_from = self.network.networks("accept_relayed_from")
        replies_from = self.network.networks("accept_replies_from")
        metrics = self._metrics()
        if default is None:
            return None
        config = Config(
            servers=self.resolver.servers,
            policy=Policy(rules, classes, Default(Reason.DEFAULT, "default", default)),
            dhcp_servers=dhcp_servers,
            pxe_only=self.data.get("pxe_only") is True,
            interfaces=interfaces,
            accept_relayed_from=relayed_from.of4,
            accept_replies_from=replies_from.of4,
            mentioned=frozenset(self.resolver.mentioned),
            max_hops=self._number("max_hops"),
            max_requests=self._number("max_requests"),
            source_address=source.of4,
            option82=option82,
            any_source_port=self.data.get("source_ports") == "any",
            metrics=metrics,
            dhcpv4=self.network.dhcpv4,
            dhcpv6=dhcpv6,
            accept_relayed_from6=relayed_from.of6,
            accept_replies_from6=replies_from.of6,
            source_address6=source.of6,
        )
        for clash in clashes(self.documents, config, self.resolver.leaseless):
            self.resolver.fault(clash.document, clash.path, clash.message)
        return config

    def _number(self, key: str) -> int:
        value = self.data.get(key, schema.default_of(key))
        return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0

    def _metrics(self) -> str | None:
        value = self.data.get("metrics")
        if not isinstance(value, str):
            return None
        if value.startswith("/"):
            shown, size = ends(value), len(value.encode("utf-8", "surrogatepass"))
            if value.rpartition("/")[2] in ("", ".", ".."):
                message = f"{shown} is a folder's path; write a socket's, such as {METRICS_SOCKET}"
                self.fault(("metrics",), message)
            elif size > _LONGEST_PATH:
                message = f"{shown} has {size} octets; write a path that has at most {_LONGEST_PATH}"
                self.fault(("metrics",), message)
        elif _LOOPBACK_PORT.fullmatch(value) and not schema.pattern_of("endpoint").search(value):
            self.fault(("metrics",), f"{value} has no such port; write one from 1 to {_LAST_PORT}")
        return value

    def _option82(self) -> AgentInfoSetting | None:
        value = self.data.get("option82")
        if not isinstance(value, Map):
            return None
        keys, path = ("circuit_id", "remote_id"), ("option82",)
        texts = templates(value, keys, PLACEHOLDERS, path, self.main, self.resolver)
        return AgentInfoSetting(
            circuit_id=texts["circuit_id"],
            remote_id=texts["remote_id"],
            link_selection=value.get("link_selection") is True,
            server_override=value.get("server_override") is True,
            relay_id=octets(value.get("relay_id"), "octets"),
            required=value.get("required") is True,
            trusted=self.network.known_interfaces(value, "trusted", path) or Names(),
        )

    def _classes(self) -> Iterator[ClientClass]:
        value = self.data.get("classes")
        names: dict[str, Mark] = {}
        for at, entry in enumerate(value if isinstance(value, List) else ()):
            if not isinstance(entry, Map):
                continue
            path, name = ("classes", at), entry.get("name")
            if isinstance(name, str):
                first = names.setdefault(name, entry.value_mark("name"))
                if first != entry.value_mark("name"):
                    message = (
                        f"a class '{ends(name)}' stands in line {first.line} already; give each its own name"
                    )
                    self.fault((*path, "name"), message)
            choice = self.resolver.choice(self.main, entry.get("server"), (*path, "server"))
            vendor_class = entry.get("vendor_class")
            architectures = self._architectures(entry, path)
            heard_on = self.network.known_interfaces(entry, "interfaces", path)
            if choice is not None:
                prefix = vendor_class.encode() if isinstance(vendor_class, str) else None
                yield ClientClass(str(name), choice, prefix, architectures, heard_on)

    def _architectures(self, entry: Map, path: tuple[str | int, ...]) -> frozenset[int] | None:
        if "arch" not in entry:
            return None
        value = entry["arch"]
        numbers = set()
        for at, item in enumerate(value if isinstance(value, List) else [value]):
            here = (*path, "arch", at) if isinstance(value, List) else (*path, "arch")
            if isinstance(item, str):
                number = NUMBER_OF.get(item.casefold())
                if number is None:
                    hint = self.resolver.hint(item, ARCHITECTURES.values()) or EXPECTED
                    self.fault(here, f"no architecture is named '{ends(item)}'{hint}")
                else:
                    numbers.add(number)
            elif isinstance(item, (int, float)):
                numbers.add(int(item))
        return frozenset(numbers)
