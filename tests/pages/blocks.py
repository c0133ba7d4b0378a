"""The blocks of a page: commands with their output, and files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"^(?:<!-- (?P<what>lab|run by): *(?P<words>[^\n]*?) *-->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
COMMAND = re.compile(r"[$#] ")


class PageError(ValueError):
    """A page has a block that can't be understood; the message says where."""


@dataclass(frozen=True)
class Command:
    """A command as the page has it, and the lines that it shows below."""

    prompt: str
    line: str
    output: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (f"{self.prompt} {self.line}", *self.output))


@dataclass(frozen=True)
class Block:
    """One fenced block that has something to do with the lab."""

    page: Path
    number: int
    """The line of its first line of text, from 1."""
    begin: int
    """Where its text begins in the page's text, in characters."""
    language: str
    text: str
    scene: str
    """The scene it is run in; empty if it is run elsewhere."""
    runner: str
    """The key of who runs it elsewhere; else empty."""
    file: str
    """The path that it is written to; empty if it is commands."""
    content_of: str
    """The path of the file whose content it is; empty if it is commands."""
    meanwhile: str
    """The action that the scene does while its last command runs; empty for none."""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.page.name}:{self.number}"

    @property
    def commands(self) -> list[Command]:
        """Return its commands; PageError where it does not begin with one.

        What a file has by then is what `cat` prints of it.
        """
        if self.content_of:
            return [Command("$", f"cat {self.content_of}", tuple(self.text.splitlines()))]
        found: list[Command] = []
        lines = iter(self.text.splitlines())
        for line in lines:
            if COMMAND.match(line) and (not found or line[0] == found[0].prompt):
                words = line[2:]
                while words.endswith("\\"):
                    words += "\n" + next(lines, "")
                found.append(Command(line[0], words, ()))
            elif not found:
                raise PageError(f"{self.place}: a console block begins with a command, '$ ' or '# '")
            else:
                last = found[-1]
                found[-1] = Command(last.prompt, last.line, (*last.output, line))
        return [Command(one.prompt, one.line, _without_blank_end(one.output)) for one in found]


def _without_blank_end(lines: tuple[str, ...]) -> tuple[str, ...]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that are commands, or that a comment of ours stands above.

    PageError for commands of which nothing says how they are run.
    """
    text = page.read_text("utf-8")
    found = []
    for match in BLOCK.finditer(text):
        if match["language"] != "console" and match["what"] is None:
            continue
        number = text.count("\n", 0, match.start("text")) + 1
        if match["what"] is None:
            raise PageError(f"{page.name}:{number}: say above it in which scene it is run: <!-- lab: … -->")
        runner = match["words"] if match["what"] == "run by" else ""
        scene, _, more = match["words"].partition(";")
        settings = dict(_setting(page, number, word) for word in more.split(";") if word.strip())
        found.append(
            Block(
                page,
                number,
                match.start("text"),
                match["language"],
                match["text"],
                scene="" if runner else scene.strip(),
                runner=runner,
                file=settings.get("file", ""),
                content_of=settings.get("is", ""),
                meanwhile=settings.get("meanwhile", ""),
            )
        )
    return found


def _setting(page: Path, number: int, word: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in word.partition(":"))
    if name not in ("file", "is", "meanwhile") or not value:
        known = "'file: PATH', 'is: PATH' or 'meanwhile: ACTION'"
        raise PageError(f"{page.name}:{number}: {word.strip()!r} is none of {known}")
    return name, value
