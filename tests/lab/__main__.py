"""The lab from the command line: `python -m tests.lab {up,boot,down} NAME`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from tests.lab.command import CommandError
from tests.lab.network import Lab, LabError
from tests.lab.stage import Progress, alone, down, up
from tests.lab.topology import CLIENTS, SERVER_NAMES, Branch, Client, Network
from tests.lab.trial import Outcome, boot


def main() -> int:
    """Do what the command line says; Molecule's playbooks call this."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, meaning in (
        ("up", "build network, servers, clients and an empty relay host"),
        ("down", "remove all of it"),
        ("boot", "boot clients, and tell what each was offered; 1 if that is not what it should be"),
    ):
        actions.add_parser(action, help=meaning).add_argument("name", help="the lab's name")
    actions.choices["up"].add_argument(
        "--branches", type=int, default=0, help="further relay hosts, relay2 and so on, each with a VLAN"
    )
    actions.choices["boot"].add_argument(
        "--branch", type=int, action="append", default=[], help="the clients of relay2 (2) and so on instead"
    )
    help_text = "only this client; NAME=SERVER expects it at another server than the topology does"
    actions.choices["boot"].add_argument("client", nargs="*", help=help_text)
    actions.choices["boot"].add_argument("--json", action="store_true", help="tell it to a program")
    arguments = parser.parse_args()
    try:
        if arguments.action == "boot":
            clients = [client for number in arguments.branch for client in Branch(number).clients]
            chosen = clients or _chosen(arguments.client)
            return _boot(arguments.name, chosen, as_json=arguments.json)
        with alone(arguments.name):
            if arguments.action == "up":
                up(arguments.name, Progress(), arguments.branches)
            else:
                down(arguments.name)
    except (CommandError, LabError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _boot(name: str, clients: Sequence[Client], *, as_json: bool) -> int:
    outcomes = boot(Network(Lab.existing(name)), clients)
    if as_json:
        _print_json(outcomes)
        return 0
    for outcome in outcomes:
        verdict = "ok" if outcome.ok else f"WRONG, expected {outcome.expected}"
        print(f"{outcome.client.mac}  {outcome.client.kind:12}{outcome.offered}: {verdict}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _print_json(outcomes: Sequence[Outcome]) -> None:
    rows = [
        {
            "client": outcome.client.name,
            "kind": outcome.client.kind,
            "offered": outcome.offered,
            "expected": outcome.expected,
            "ok": outcome.ok,
        }
        for outcome in outcomes
    ]
    print(json.dumps(rows, indent=2))


def _chosen(words: Sequence[str]) -> Sequence[Client]:
    known = {client.name: client for client in CLIENTS}
    addresses = {name: address for address, name in SERVER_NAMES.items()}
    chosen = []
    for word in words:
        name, _, server = word.partition("=")
        if name not in known or server not in ("", *addresses):
            raise LabError(f"{word}: clients are {', '.join(known)}, servers are {', '.join(addresses)}")
        client = known[name]
        chosen.append(replace(client, server=addresses[server]) if server else client)
    return chosen or CLIENTS


if __name__ == "__main__":
    sys.exit(main())
