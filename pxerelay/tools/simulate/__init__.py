"""What would become of messages, without a daemon."""
