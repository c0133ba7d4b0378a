"""What the operating system has: sockets, interfaces, names, the journal, the clock."""
