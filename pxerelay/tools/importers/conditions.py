"""What tells a class of clients, in the words of Kea and of dhcpd, to the conditions of our classes.

Both compare option 60 with a text that it begins with and option 93 with a number, joined by and, or; in
DHCPv6 options 16 and 61.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

from pxerelay.tools.importers.decisions import Kind

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<hex>0x[0-9A-Fa-f]+|[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2})+)"
    r"|(?P<word>option\[[\w.-]+\](?:\.\w+)*|vendor-class\[(?:343|\*)\]\.data(?:\[0\])?|[A-Za-z_][\w.-]*|\d+)|(?P<sign>==|=|!=|~=|[(),]))"
)
_VENDOR = frozenset({"option[60]", "option[vendor-class-identifier]", "vendor-class-identifier"})
_ARCH = frozenset(
    {
        "option[93]",
        "option[client-system]",
        "client-system",
        "arch",
        "architecture-type",
        "client-arch",
        "client-architecture",
    }
    | {
        "pxe-system-type",
        "pxe-client-architecture",
        "system-arch",
        "client-system-arch",
        "architecture",
        "pxe-arch",
    }
)
"""What option 93 is called: by Kea, and by the lines that define it in files of dhcpd."""

_VENDOR6 = "option[16]", "option[vendor-class]"
_VENDOR6_DATA = "vendor-class[343]", "vendor-class[*]"


class Vocabulary(NamedTuple):
    """How tests call the vendor class and the architecture; the texts of a vendor class begin at an octet."""

    vendors: dict[str, int]
    architectures: frozenset[str]


OF_V4 = Vocabulary(dict.fromkeys(_VENDOR, 0), _ARCH)

OF_V6 = Vocabulary(
    dict.fromkeys(_VENDOR6, 6) | dict.fromkeys(_VENDOR6_DATA, 0),
    frozenset({"option[61]", "option[client-arch-type]"}),
)
"""Option 16 has an enterprise number and a length in front of its text, 6 octets (RFC 9915, 21.16)."""

_MOST = 64
"""Alternatives that a test may have."""


class NotSaidError(Exception):
    """A test that our classes can't say."""


def kinds(
    text: str, member: Callable[[str], str | None] = lambda _: None, vocabulary: Vocabulary = OF_V4
) -> list[Kind]:
    """Return the kinds of clients, one of which a client must be, for a test to hold.

    `member` returns the test of another class, None for none. NotSaidError if our classes can't say it.
    """
    parser = _Parser(text, member, vocabulary, 0)
    found = parser.alternatives()
    if not parser.done:
        raise NotSaidError
    return found


class _Parser:
    """Reads a test."""

    def __init__(
        self, text: str, member: Callable[[str], str | None], vocabulary: Vocabulary, depth: int
    ) -> None:
        if depth > 8 or len(text) > 4000:
            raise NotSaidError
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise NotSaidError
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self._at = 0
        self._member = member
        self._vocabulary = vocabulary
        self._depth = depth

    @property
    def done(self) -> bool:
        return self._at == len(self._tokens)

    def alternatives(self) -> list[Kind]:
        found = self._all()
        while self._word("or"):
            found += self._all()
        if len(found) > _MOST:
            raise NotSaidError
        return list(dict.fromkeys(found))

    def _all(self) -> list[Kind]:
        found = self._one()
        while self._word("and"):
            found = [_both(one, other) for one, other in product(found, self._one())]
            if len(found) > _MOST:
                raise NotSaidError
        return found

    def _one(self) -> list[Kind]:
        if self._sign("("):
            self._depth += 1
            if self._depth > 20:
                raise NotSaidError
            found = self.alternatives()
            self._need(")")
            return found
        if self._word("member"):
            self._need("(")
            name = self._take("text")[1:-1]
            self._need(")")
            test = self._member(name)
            if test is None:
                raise NotSaidError
            parser = _Parser(test, self._member, self._vocabulary, self._depth + 1)
            found = parser.alternatives()
            if not parser.done:
                raise NotSaidError
            return found
        if self._word("substring"):
            return self._beginning()
        self._word("option")
        name, said = self._named(self._take("word"))
        if not (self._sign("==") or self._sign("=")) or self._vocabulary.vendors.get(name):
            raise NotSaidError
        return [self._value(name, said)]

    def _beginning(self) -> list[Kind]:
        self._need("(")
        self._word("option")
        name, _ = self._named(self._take("word"))
        self._need(",")
        start = self._take("word")
        self._need(",")
        length = self._take("word")
        self._need(")")
        begins = self._vocabulary.vendors.get(name)
        if not (self._sign("==") or self._sign("=")) or start != str(begins):
            raise NotSaidError
        kind = self._value(name, "")
        if not kind.vendor or length not in (str(len(kind.vendor)), "all"):
            raise NotSaidError
        return [kind]

    def _named(self, word: str) -> tuple[str, str]:
        option, _, said = word.lower().partition("].")
        return (f"{option}]", said) if said else (word.lower(), "")

    def _value(self, name: str, said: str) -> Kind:
        """Return the kind whose option is equal to what comes next."""
        group, text = self._next()
        if name in self._vocabulary.vendors and group == "text":
            if len(text) < 3:
                raise NotSaidError
            return Kind(text[1:-1])
        if name in self._vocabulary.vendors and group == "hex" and text.startswith("0x"):
            try:
                return Kind(bytes.fromhex(text[2:]).decode("ascii"))
            except ValueError:
                raise NotSaidError from None
        of_arch = name in self._vocabulary.architectures
        if of_arch and said in ("", "hex") and group == "hex":
            digits = (
                text[2:] if text.startswith("0x") else "".join(one.rjust(2, "0") for one in text.split(":"))
            )
            if len(digits) == 4:
                return Kind("", int(digits, 16))
        if (
            name in self._vocabulary.architectures
            and group == "word"
            and text.isdecimal()
            and int(text) < 65536
        ):
            return Kind("", int(text))
        raise NotSaidError

    def _next(self) -> tuple[str, str]:
        if self.done:
            raise NotSaidError
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, group: str) -> str:
        found, text = self._next()
        if found != group:
            raise NotSaidError
        return text

    def _word(self, text: str) -> bool:
        return self._is("word", text)

    def _sign(self, text: str) -> bool:
        return self._is("sign", text)

    def _is(self, group: str, text: str) -> bool:
        if not self.done and self._tokens[self._at][0] == group and self._tokens[self._at][1].lower() == text:
            self._at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise NotSaidError


def _both(one: Kind, other: Kind) -> Kind:
    """Return the kind that is both; NotSaidError if none can be."""
    longer, shorter = sorted((one.vendor, other.vendor), key=len, reverse=True)
    if not longer.startswith(shorter) or (None not in (one.arch, other.arch) and one.arch != other.arch):
        raise NotSaidError
    return Kind(longer, other.arch if one.arch is None else one.arch)
