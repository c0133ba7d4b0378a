"""Text to a frozen `Config`, all faults at once, each with its place and what would be right."""
