"""Configuration files as text: what is in them, what is wrong with them."""
