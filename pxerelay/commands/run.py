"""`pxerelay run`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import signal

from pxerelay.commands.common import FAILED, FOUND, OK, Commands, add_command, add_config, add_socket
from pxerelay.config.findings import ConfigError
from pxerelay.linux import log


def add(commands: Commands) -> None:
    """Declare the command."""
    exits = {
        OK: "ended by SIGTERM",
        FOUND: "the sockets can't be opened",
        FAILED: "the configuration does not load",
    }
    run = add_command(commands, "run", _run, exits, "relay, in the foreground")
    add_config(run)
    add_socket(run)
    run.add_argument("--debug", action="store_true", help="log every decision in words")


def _run(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing has been read yet that could be read again
    log.set_up(debug=arguments.debug)
    from pxerelay.daemon.daemon import Daemon, StartError

    async def relay() -> None:
        await Daemon(arguments.config, arguments.socket, debug=arguments.debug).run()

    try:
        asyncio.run(relay())
    except ConfigError as error:
        log.LOGGER.error("%s", error)
        return FAILED
    except StartError as error:
        log.LOGGER.error("%s", error)
        return FOUND
    return OK
