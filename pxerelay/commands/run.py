"""`pxerelay run`: the daemon."""

from __future__ import annotations

import argparse
import signal

from pxerelay.commands.common import FAILED, FOUND, OK, Commands, add_command, add_config, add_socket, fail
from pxerelay.daemon import loader_process
from pxerelay.daemon.loader_process import SIGNALS, LoadError, Loading
from pxerelay.linux import streams


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
    streams.open_closed_ones()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the daemon is there to heed them
    try:
        first = loader_process.start(arguments.config, documents=arguments.debug)
    except LoadError as error:
        return fail(str(error), FOUND)
    with first.process as process:
        try:
            return _relay(arguments, first)
        finally:
            process.kill()


def _relay(arguments: argparse.Namespace, first: Loading) -> int:
    """Import the daemon while its configuration is being loaded, and be it."""
    from pxerelay.linux import lean, memory

    memory.begin()
    lean.leave_out_tls()
    import asyncio

    from pxerelay.config.findings import ConfigError
    from pxerelay.daemon.daemon import Daemon
    from pxerelay.daemon.flow import StartError
    from pxerelay.linux import log

    log.set_up(debug=arguments.debug)

    async def relay() -> None:
        await Daemon(arguments.config, arguments.socket, debug=arguments.debug, first=first).run()

    try:
        asyncio.run(relay())
    except ConfigError as error:
        log.LOGGER.error("%s", error)
        return FAILED
    except StartError as error:
        log.LOGGER.error("%s", error)
        return FOUND
    return OK
