"""The operating system: sockets, interfaces, names, the journal, the clock."""
