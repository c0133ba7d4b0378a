"""The commands, a module each: `add` declares its arguments; what it sets as `run` returns the exit code."""
