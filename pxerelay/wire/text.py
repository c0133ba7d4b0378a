"""Text that comes from elsewhere, for a terminal or a log.

What clients, servers, files and their authors say is printed by way of this: it may hold what moves a
terminal's cursor, colours or hides text, or turns its direction around.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes milliseconds to import, which commands that are run every second do without
    from typing import Any

LONGEST_QUOTE = 200
"""Characters of somebody's text that are told whole."""


def ends(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Return a text, of one that is too long how it begins, how much is left out, and how it ends."""
    if len(text) <= longest:
        return text
    kept = longest // 4
    return f"{text[:kept]} ... {len(text) - 2 * kept} more characters ... {text[-kept:]}"


def printable(text: str, keep: str = "") -> str:
    r"""Return a text that neither moves a terminal's cursor nor breaks a line; `keep` stays as it is.

    Escapes are those of Python and JSON: what is JSON with no control characters stays JSON.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _escape(one) for one in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, made of parts that are printable each, with nothing else left in it."""
    return printable(text, keep="\n\t")


def printable_all(value: Any) -> Any:
    """Return plain data, as JSON has it, with every text in it printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [printable_all(one) for one in value]
    if isinstance(value, dict):
        return {printable(str(key)): printable_all(one) for key, one in value.items()}
    return value


def _escape(character: str) -> str:
    if character < "\x7f":
        return character.encode("unicode_escape").decode()
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
