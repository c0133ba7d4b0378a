"""What reviews, checks and moves configurations; the daemon runs without this wing."""
