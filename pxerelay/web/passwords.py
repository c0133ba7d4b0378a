"""Who may look: lines `user:scrypt:salt:hash` of a file, and logins held against them (RFC 7617, 7914)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections import OrderedDict
from pathlib import Path

_N, _R, _P = 1 << 14, 8, 1
"""Cost of scrypt (RFC 7914, 2): 16 MiB for a moment, some hundredths of a second."""

_SALT, _HASH = 16, 32
_MOST_KNOWN = 64
_MOST_USERS = 1000
_LONGEST = 1024


class PasswordError(Exception):
    """A password file that can't be used; the message has its place."""


def line_of(user: str, password: str) -> str:
    """Return the line of a user."""
    if not user or not user.isprintable() or ":" in user:
        raise PasswordError(f"'{user}' is no user's name: no colon may be in it, and something must")
    if not password:
        raise PasswordError("an empty password lets anybody in")
    salt = os.urandom(_SALT)
    return f"{user}:scrypt:{salt.hex()}:{_hashed(password.encode(), salt).hex()}"


class Passwords:
    """The users of a file. Logins that were right are known again, so that each costs scrypt once."""

    def __init__(self, path: Path) -> None:
        """Read the file; PasswordError if there is something else in it."""
        self._users: dict[str, tuple[bytes, bytes]] = {}
        self._key = os.urandom(_HASH)
        self._known: OrderedDict[bytes, str] = OrderedDict()
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise PasswordError(
                f"{path}: can't be read: {getattr(error, 'strerror', None) or error}"
            ) from None
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                user, kind, salt, digest = line.strip().split(":")
                self._users[user] = bytes.fromhex(salt), bytes.fromhex(digest)
            except ValueError:
                kind = ""
            if kind != "scrypt" or len(self._users) > _MOST_USERS:
                raise PasswordError(
                    f"{path}:{number}: this is no line of `pxerelay web --password USER`; let it make one"
                )
        if not self._users:
            raise PasswordError(f"{path}: nobody may look; add a line by `pxerelay web --password USER`")

    def known(self, header: str) -> bool:
        """Whether a value of the header Authorization was found right before."""
        return self._mark(header) in self._known

    def check(self, header: str) -> bool:
        """Whether such a value is right; this takes a while, so not in the event loop."""
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "basic" or len(text) > _LONGEST:
            return False
        try:
            user, colon, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            return False
        salt, wanted = self._users.get(user, (b"nobody", b""))
        found = _hashed(password.encode(), salt)  # also for nobody: the time does not tell who is there
        if not (hmac.compare_digest(found, wanted) and colon and user in self._users):
            return False
        self._known[self._mark(header)] = user
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return True

    def _mark(self, header: str) -> bytes:
        return hmac.new(self._key, header.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()


def _hashed(password: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=_N, r=_R, p=_P, dklen=_HASH)
