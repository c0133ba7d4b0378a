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
from ipaddress import IPv4Address, IPv4Network

from pxerelay.config import schema
from pxerelay.config.budget import Budget, TooMuchError
from pxerelay.config.data import Document, List, Map, Mark
from pxerelay.config.findings import MOST, ConfigError, Finding
from pxerelay.config.mapping import RuleReader
from pxerelay.config.override import clashes
from pxerelay.config.resolve import EnoughError, Resolver
from pxerelay.policy.model import LOOPBACK, ROUTE, Config, InterfaceSetting
from pxerelay.policy.rules import ClientClass, Default, Policy, Reason
from pxerelay.wire.agentinfo import PLACEHOLDERS, AgentInfoSetting
from pxerelay.wire.arch import ARCHITECTURES, EXPECTED, NUMBER_OF
from pxerelay.wire.globs import Names, is_glob, matches
from pxerelay.wire.text import ends

_LAST_PORT = 0xFFFF

_LOOPBACK_PORT = re.compile(r"127(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}:[0-9]{1,9}")
"""What looks like a loopback address and a port."""

_LONGEST_PATH = 107
"""Octets of a socket's path (unix(7)); the schema counts characters."""

MOST_GLOBS = 256
"""Globs among the interfaces: each name is compared with all of them."""

_MOST_COMPARED = 1_000_000
"""Comparisons of names with globs, a second's worth or two."""

_GLOB_COST = 100
"""Comparisons that a glob takes as long as, when it is first looked at."""

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
        message = "these globs take too many comparisons of interfaces; write fewer of them"
        self.comparisons = Budget(_MOST_COMPARED, message)

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
        interfaces = tuple(self._interfaces())
        rules = RuleReader(self.documents, self.resolver).table()
        classes = tuple(self._classes({entry.name for entry in interfaces}))
        source = self._source_address()
        option82 = self._option82({entry.name for entry in interfaces})
        relayed_from = self._networks("accept_relayed_from")
        replies_from = self._networks("accept_replies_from")
        metrics = self._metrics()
        if default is None:
            return None
        config = Config(
            servers=self.resolver.servers,
            policy=Policy(rules, classes, Default(Reason.DEFAULT, "default", default)),
            dhcp_servers=dhcp_servers,
            pxe_only=self.data.get("pxe_only") is True,
            interfaces=interfaces,
            accept_relayed_from=relayed_from,
            accept_replies_from=replies_from,
            mentioned=frozenset(self.resolver.mentioned),
            max_hops=self._number("max_hops"),
            max_requests=self._number("max_requests"),
            source_address=source,
            option82=option82,
            any_source_port=self.data.get("source_ports") == "any",
            metrics=metrics,
        )
        for clash in clashes(self.documents, config, self.resolver.leaseless):
            self.resolver.fault(clash.document, clash.path, clash.message)
        return config

    def _interfaces(self) -> Iterator[InterfaceSetting]:
        interfaces = self.data.get("interfaces")
        if not isinstance(interfaces, Map):
            return
        globs = [name for name in interfaces if is_glob(name)]
        if len(globs) > MOST_GLOBS:
            message = f"{len(globs)} globs; write at most {MOST_GLOBS}, or the names themselves"
            self.fault(("interfaces",), message)
            return
        giaddrs: dict[IPv4Address, str] = {}
        option82 = self.data.get("option82")
        circuit = option82.get("circuit_id") if isinstance(option82, Map) else None
        shared = isinstance(circuit, str) and AgentInfoSetting(circuit).tells_interfaces_apart
        for name, value in interfaces.items():
            settings = value if isinstance(value, Map) else Map()
            giaddr = None
            if name == LOOPBACK:
                message = f"{name} is the loopback interface, where no client is; take it out"
                self.resolver.fault(self.main, ("interfaces", name), message, key=True)
            if isinstance(settings.get("giaddr"), str):
                path = ("interfaces", name, "giaddr")
                giaddr = self._host_address(settings["giaddr"], path)
                if giaddr in giaddrs and not shared:
                    other = giaddrs[giaddr]
                    self.fault(
                        path,
                        f"giaddr {giaddr} is also that of {other}, so replies could not be told apart; "
                        'give each its own, or set option82 with circuit_id: "{interface}"',
                    )
                elif giaddr is not None:
                    giaddrs[giaddr] = name
            choice = None
            if "default" in settings:
                choice = self.resolver.choice(self.main, settings["default"], ("interfaces", name, "default"))
            pxe_only = settings.get("pxe_only", self.data.get("pxe_only"))
            default = Default(Reason.INTERFACE_DEFAULT, name, choice) if choice else None
            yield InterfaceSetting(name, pxe_only is True, default, giaddr)

    def _host_address(self, text: str, path: Sequence[str | int]) -> IPv4Address | None:
        if not schema.pattern_of("address").search(text):
            return None
        address = IPv4Address(text)
        if address.is_unspecified or address.is_multicast or address.is_reserved:
            self.fault(path, f"{text} can't be an address of this host; write a unicast address")
            return None
        return address

    def _number(self, key: str) -> int:
        value = self.data.get(key, schema.default_of(key))
        return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0

    def _networks(self, key: str) -> tuple[IPv4Network, ...]:
        value = self.data.get(key)
        found = []
        for at, item in enumerate(value if isinstance(value, List) else ()):
            if isinstance(item, str) and schema.pattern_of("network").search(item):
                network = IPv4Network(item, strict=False)
                if str(network.network_address) != item.split("/")[0]:
                    self.fault((key, at), f"{item} has bits set past its prefix; write {network}")
                found.append(network)
        return tuple(found)

    def _source_address(self) -> str | IPv4Address:
        value = self.data.get("source_address", schema.default_of("source_address"))
        if isinstance(value, str) and value[:1].isdigit():
            return self._host_address(value, ("source_address",)) or ROUTE
        return str(value)

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

    def _option82(self, interfaces: set[str]) -> AgentInfoSetting | None:
        value = self.data.get("option82")
        if not isinstance(value, Map):
            return None
        templates: dict[str, str | None] = {}
        for key in ("circuit_id", "remote_id"):
            text = value.get(key)
            templates[key] = text if isinstance(text, str) else None
            for name in re.findall(r"\{([^{}]*)\}", templates[key] or ""):
                if name not in PLACEHOLDERS:
                    hint = self.resolver.hint(name, PLACEHOLDERS)
                    self.fault(("option82", key), f"{{{ends(name)}}} stands for nothing here{hint}")
        relay_id = value.get("relay_id")
        octets = None
        if isinstance(relay_id, str) and schema.pattern_of("octets").search(relay_id):
            octets = bytes.fromhex(relay_id.replace(":", ""))
        return AgentInfoSetting(
            circuit_id=templates["circuit_id"],
            remote_id=templates["remote_id"],
            link_selection=value.get("link_selection") is True,
            server_override=value.get("server_override") is True,
            relay_id=octets,
            required=value.get("required") is True,
            trusted=self._known_interfaces(value, "trusted", ("option82",), interfaces) or Names(),
        )

    def _classes(self, interfaces: set[str]) -> Iterator[ClientClass]:
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
            heard_on = self._known_interfaces(entry, "interfaces", path, interfaces)
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

    def _known_interfaces(
        self, entry: Map, key: str, path: tuple[str | int, ...], known: set[str]
    ) -> Names | None:
        """Return the interfaces that a list means, by name or glob; `interfaces` must have such ones."""
        value = entry.get(key)
        if not isinstance(value, List):
            return None
        for at, item in enumerate(value):
            if isinstance(item, str) and not self._means_any(item, known):
                hint = self.resolver.hint(item, known)
                message = f"'{ends(item)}' is none of the `interfaces:` of this file{hint}"
                self.fault((*path, key, at), message)
        return Names(frozenset(item for item in value if isinstance(item, str)))

    def _means_any(self, item: str, known: set[str]) -> bool:
        """Whether a name or glob and one of the `interfaces` may mean the same interface."""
        if item in known:
            return True
        names = known if is_glob(item) else [name for name in known if is_glob(name)]
        self.comparisons.spend(_GLOB_COST + len(names))
        return any(matches(name, item) or matches(item, name) for name in names)
