"""The running relay: start, reload, follow the network, relay, answer the control socket, stop."""
