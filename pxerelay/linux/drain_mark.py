"""The file that says that this relay is out of rotation: it stays so when the daemon is started anew."""

from __future__ import annotations

import os
from pathlib import Path


class DrainMark:
    """A file of no content: the relay is drained while it is there.

    It stands in `$STATE_DIRECTORY` (systemd.exec(5)), else beside the control socket, and is called as that.
    """

    def __init__(self, control_path: Path) -> None:
        folder = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        self.path = (Path(folder) if folder else control_path.parent) / f"{control_path.stem}.drained"

    def since(self) -> float | None:
        """Return when it was made, in seconds since 1970; None if it is not there."""
        try:
            return self.path.lstat().st_mtime
        except OSError:
            return None

    def set(self) -> None:
        """Make it; one that is there stays as it is. OSError if that can't be done."""
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640))

    def remove(self) -> None:
        """Remove it, if it is there. OSError if that can't be done."""
        self.path.unlink(missing_ok=True)
