"""Servers of one kind that fail, and the clients that boot meanwhile."""
