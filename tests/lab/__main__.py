"""The lab from the command line: `python -m tests.lab ACTION NAME`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from tests.lab.command import CommandError, run
from tests.lab.endure import ask_too_often, boot_through, watch
from tests.lab.image import RELEASE, RELEASES
from tests.lab.network import Host, Lab, LabError
from tests.lab.relayhost import RelayHost
from tests.lab.stage import Progress, alone, down, up
from tests.lab.topology import CLIENTS, SERVER_NAMES, Branch, Client, Network
from tests.lab.topology6 import Network6
from tests.lab.trial import Outcome, boot
from tests.lab.trial6 import Outcome6, boot6


def main() -> int:
    """Do what the command line says; Molecule's playbooks call this."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, meaning in (
        ("up", "build network, servers, clients and an empty relay host"),
        ("down", "remove all of it"),
        ("boot", "boot clients, and tell what each was offered; 1 if that is not what it should be"),
        ("kill", "one relay host of a pair loses its power"),
        ("revive", "it has power again"),
        ("watch", "ask again and again while a command runs, and tell how long nobody answered"),
        ("flood", "let a client ask far too often, and tell its address"),
        ("boot-through", "let a client get an offer, run a command, and let the client go on"),
    ):
        actions.add_parser(action, help=meaning).add_argument("name", help="the lab's name")
    actions.choices["up"].add_argument(
        "--relay",
        action="append",
        choices=RELEASES,
        help=f"a relay host, of that Debian; each has a VLAN of its own; default: one, {RELEASE}",
    )
    actions.choices["up"].add_argument("--pair", action="store_true", help="two of them, on the same VLANs")
    actions.choices["up"].add_argument("--ssh", action="store_true", help="with an OpenSSH server on each")
    actions.choices["up"].add_argument(
        "--apt", action="store_true", help="what the daemon depends on is only at hand for apt"
    )
    actions.choices["boot"].add_argument(
        "--branch", type=int, action="append", default=[], help="the clients of relay2 (2) and so on instead"
    )
    help_text = "only this client; NAME=SERVER expects it at another server than the topology does"
    actions.choices["boot"].add_argument("client", nargs="*", help=help_text)
    actions.choices["boot"].add_argument("--json", action="store_true", help="tell it to a program")
    actions.choices["boot"].add_argument("--ipv6", action="store_true", help="over IPv6")
    for action in ("kill", "revive"):
        actions.choices[action].add_argument("relay", help="which one")
    for action in ("watch", "boot-through"):
        actions.choices[action].add_argument(
            "--client", default=CLIENTS[-1].name, help="whose place to ask in"
        )
        actions.choices[action].add_argument("command", nargs="+", help="after --, what to run meanwhile")
    actions.choices["watch"].add_argument("--ipv6", action="store_true", help="over IPv6 as well")
    actions.choices["watch"].add_argument("--longer", type=float, default=5, help="seconds to go on after it")
    arguments = parser.parse_args()
    try:
        if arguments.action == "flood":
            network = Network(Lab.existing(arguments.name))
            print(json.dumps(ask_too_often(network, client=CLIENTS[-1].name)))
            return 0
        if arguments.action in ("watch", "boot-through"):
            network = Network(Lab.existing(arguments.name))
            if arguments.action == "watch":
                where = {"client": arguments.client, "longer": arguments.longer}
                told = watch(network, arguments.command, **where, ipv6=arguments.ipv6)
            else:
                told = boot_through(network, lambda: run(arguments.command), client=arguments.client)
            print(json.dumps(told))
            return 0
        if arguments.action in ("kill", "revive"):
            network = Network(Lab.existing(arguments.name), pair=True)
            host, relay = RelayHost(arguments.name, arguments.relay), Host(network.lab, arguments.relay)
            if arguments.action == "kill":
                network.unplug(relay)
                host.kill()
            else:
                network.plug_in(relay)
                Network6(network).plug_in(relay)
                host.start_again()
            return 0
        if arguments.action == "boot":
            clients = [client for number in arguments.branch for client in Branch(number).clients]
            chosen = clients or _chosen(arguments.client)
            return _boot(arguments.name, chosen, as_json=arguments.json, ipv6=arguments.ipv6)
        with alone(arguments.name):
            if arguments.action == "up":
                releases = arguments.relay or (RELEASE,)
                how = {"pair": arguments.pair, "ssh": arguments.ssh, "apt": arguments.apt}
                up(arguments.name, Progress(), releases, **how)
            else:
                down(arguments.name)
    except (CommandError, LabError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _boot(name: str, clients: Sequence[Client], *, as_json: bool, ipv6: bool) -> int:
    network = Network(Lab.existing(name))
    outcomes = boot6(Network6(network), clients) if ipv6 else boot(network, clients)
    if as_json:
        _print_json(outcomes)
        return 0
    for outcome in outcomes:
        verdict = "ok" if outcome.ok else f"WRONG, expected {outcome.expected}"
        print(f"{outcome.client.mac}  {outcome.client.kind:12}{outcome.offered}: {verdict}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _print_json(outcomes: Sequence[Outcome] | Sequence[Outcome6]) -> None:
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
