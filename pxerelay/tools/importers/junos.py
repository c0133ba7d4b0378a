"""The text of a Junos configuration: statements as paths of words, from braces or from set commands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source, Word

_PIECE = re.compile(r'/\*.*?\*/|#.*|"([^"]*)"|[{};\[\]]|[^\s{};\[\]"]+')
_DEEPEST = 200


def statements(source: Source, found: Found) -> Iterator[list[Word]]:
    """Yield all statements; what is marked inactive is none, and so is what `deactivate` names."""
    in_braces = any(line.rstrip().endswith("{") for line in source.lines)
    if in_braces:
        yield from _of_braces(source, found)
        return
    inactive = [path for path in _commands(source, "deactivate") if path]
    for path in _commands(source, "set"):
        texts = [word.text for word in path]
        if not any(texts[: len(one)] == [word.text for word in one] for one in inactive):
            yield path


def _commands(source: Source, verb: str) -> Iterator[list[Word]]:
    for number, line in enumerate(source.lines, 1):
        words = [
            Word(match[1] if match[1] is not None else match[0], number, match.start() + 1)
            for match in _PIECE.finditer(line)
        ]
        if words and words[0].text == verb:
            yield from _lists(words[1:])


def _of_braces(source: Source, found: Found) -> Iterator[list[Word]]:
    stack: list[tuple[list[Word], bool]] = []
    here: list[Word] = []
    commented = False
    for number, line in enumerate(source.lines, 1):
        for match in _PIECE.finditer(line):
            text = match[1] if match[1] is not None else match[0]
            word = Word(text, number, match.start() + 1)
            if text.startswith(("/*", "#")) and match[1] is None:
                commented = text.startswith("/*") and "*/" not in text
                continue
            if commented:
                commented = "*/" not in text
            elif text == "{" and len(stack) < _DEEPEST:
                stack.append((here, _is_inactive(here)))
                here = []
            elif text == "}":
                if not stack:
                    found.fault(source, word, "this } closes nothing; take it out")
                else:
                    stack.pop()
                here = []
            elif text == ";":
                if not _is_inactive(here) and not any(off for _, off in stack):
                    yield from _lists([*(one for head, _ in stack for one in head), *here])
                here = []
            else:
                here.append(word)
    if stack:
        found.fault(
            source,
            stack[-1][0][0] if stack[-1][0] else Word("", 1, 1),
            "this block is never closed; write its }",
        )


def _is_inactive(head: list[Word]) -> bool:
    return bool(head) and head[0].text == "inactive:"


def _lists(words: list[Word]) -> Iterator[list[Word]]:
    """Yield a statement for each item of the list at its end, as in `server [ 10.0.0.1 10.0.0.2 ]`."""
    texts = [word.text for word in words]
    if "[" not in texts:
        if words:
            yield words
        return
    start = texts.index("[")
    for word in words[start + 1 :]:
        if word.text == "]":
            break
        yield [*words[:start], word]
