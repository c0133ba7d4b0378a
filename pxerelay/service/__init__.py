"""The daemon: start, reload, follow the network, relay, answer its control socket, stop."""
