"""Defaults of interfaces and classes that do what dnsmasq does, and what they can't say."""

from __future__ import annotations

from collections.abc import Sequence

from pxerelay.tools.importers import vlans
from pxerelay.tools.importers.decisions import NONE, Kind, Table
from pxerelay.tools.importers.dnsmasq_model import Atom, Boot
from pxerelay.tools.importers.dnsmasq_options import beginnings
from pxerelay.tools.importers.dnsmasq_survey import ANYWHERE, Place, Results, Survey
from pxerelay.tools.importers.found import Interface, Servers
from pxerelay.tools.importers.source import quoted
from pxerelay.wire.arch import arch_name


class Classes:
    """Writes defaults and classes."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._found = survey.found
        self._uncertain: set[str] = set()

    def write(self) -> None:
        """Set the defaults of interfaces, and the classes."""
        names: dict[str, Place] = {}
        quiet: list[vlans.Vlan] = []
        for place in self._survey.places:
            wanted = self._survey.servers(self._survey.base[place, NONE])
            differing = [
                servers
                for kind in self._survey.kinds
                if (servers := self._survey.wanted(kind, place)) != self._survey.wanted(kind, ANYWHERE)
                and servers
            ]
            where = self._survey.where(place)
            networks = tuple(dict.fromkeys(one.network for one in place.ranges))
            if not differing:
                if place.ranges:
                    quiet.append(vlans.Vlan(networks, (), *where))
                continue
            vlan = vlans.Vlan(networks, differing[0], *where)
            name = place.interface or vlans.interface(vlan, self._found)
            if name is None:
                continue
            names.setdefault(name, place)
            if wanted and wanted != self._survey.default:
                vlans.add(name, vlan._replace(servers=wanted), self._found)
            else:
                self._found.settings.interfaces.setdefault(name, Interface())
        vlans.settle(quiet, self._found)
        table = Table(
            self._survey.kinds,
            (None, *names),
            lambda kind, name: self._survey.wanted(kind, names[name] if name else ANYWHERE),
            self._name,
        )
        classes = table.classes()
        self._found.settings.classes.extend(classes)
        for entry in classes:
            self._uncertain_text(entry.vendor_class)
        for kind, name, servers in table.wrong(classes):
            self._not_said(kind, names[name] if name else ANYWHERE, name, servers)

    def _uncertain_text(self, text: str) -> None:
        """Name a text of option 60 that is not known to stand at its beginning."""
        for atom in self._survey.model.atoms:
            if (
                atom.kind == "vendor"
                and atom.text == text
                and not beginnings(text)
                and text not in self._uncertain
            ):
                self._uncertain.add(text)
                self._found.fault(
                    atom.line.source,
                    atom.line.words[-1],
                    f"dnsmasq looks for {quoted(text)} anywhere in option 60, a class of pxerelay at its "
                    f"beginning "
                    "only; see whether it stands there",
                )

    def _not_said(self, kind: Kind, place: Place, name: str | None, servers: Servers) -> None:
        """Name a kind of client that goes elsewhere than it did."""
        results = self._survey.base[place, kind]
        if not servers or any(
            isinstance(one, Boot) and id(one.word) in self._survey.named for one in results
        ):
            return
        atom = next(
            (one for one in self._survey.model.atoms if one.kind != "other" and one.tag in self._name(kind)),
            None,
        )
        line = atom.line if atom else (place.ranges[0].line if place.ranges else None)
        if line is None:
            line = next(
                one.line
                for one in (
                    *self._survey.model.boots,
                    *self._survey.model.options,
                    *self._survey.model.services,
                )
            )
        whom = f"clients of {self._name(kind)}" if kind != NONE else "clients"
        where = f" on {name}" if name else ""
        wanted = ", ".join(self._survey.servers(results)) or "no server"
        self._found.fault(
            line.source,
            line.words[0],
            f"{whom}{where} have {wanted}, and here {', '.join(servers)}; write one of `classes:` or a "
            f"rule for them",
        )

    def _name(self, kind: Kind) -> str:
        """Return the tags that tell a kind, else what it is."""
        tags = []
        for atom in self._survey.model.atoms:
            by_arch = atom.kind == "arch" and kind.arch is not None and atom.text == str(kind.arch)
            by_text = atom.kind == "vendor" and atom.text and atom.text in kind.vendor
            if (by_arch or by_text) and atom.tag not in tags:
                tags.append(atom.tag)
        if kind.arch is not None and not any(
            a.kind == "arch" and a.text == str(kind.arch) for a in self._survey.model.atoms
        ):
            tags.append(arch_name(kind.arch))
        return ", ".join(tags) or kind.vendor or "all"

    def what_only_clients_know(self) -> None:
        """Name the lines that hold for clients which a relay can't tell from others."""
        others = [atom for atom in self._survey.model.atoms if atom.kind == "other"]
        hosts = {(host.sets, host.needs): host for host in self._survey.model.hosts}
        together = [[atom] for atom in others]
        if len(others) > 1:
            together.append(others)
        if not others:
            return
        survey = self._survey
        for host in (None, *hosts.values()):
            for place, kind in survey.points(
                one for one in survey.places if host is None or host.is_in(one.ranges)
            ):
                usual = survey.results(place, kind, host=host)
                for some in together:
                    says = [atom.tag for atom in some]
                    self._compare(usual, survey.results(place, kind, says=says, host=host), some)

    def _compare(self, usual: Results, other: Results, atoms: Sequence[Atom]) -> None:
        """Name what is different for clients that say more."""
        if other == usual:
            return
        own = self._found.told.own_address
        before = {one.server or own if isinstance(one, Boot) else one for one in usual}
        for one in other:
            server = one.server or own if isinstance(one, Boot) else one
            if before == {server} and server:
                continue
            said = " and ".join(quoted(atom.said) for atom in atoms[:3])
            others = ", ".join(str(b or "no server") for b in sorted(before, key=str))
            line = one.line if isinstance(one, Boot) else atoms[0].line
            word = one.word if isinstance(one, Boot) else atoms[0].line.words[0]
            if id(word) in self._survey.named:
                continue
            self._survey.named.add(id(word))
            self._found.fault(
                line.source,
                word,
                f"this holds for clients that {said} is true of, others have {others}; a relay sends all "
                f"requests "
                "of a client to one server, which must tell them apart",
            )
