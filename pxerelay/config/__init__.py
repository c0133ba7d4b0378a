"""Text to a frozen `Config`, all faults at once, each with its place and what would be right."""

DEFAULT_PATH = "/etc/pxerelay/pxerelay.yml"
"""Where the main file is unless somebody says otherwise."""
