"""What other relays and servers are configured by, to a configuration of ours: a module for each format."""
