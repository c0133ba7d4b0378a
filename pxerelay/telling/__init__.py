"""What became of messages, in words and in figures."""
