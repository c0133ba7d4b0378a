"""Octets and what they mean: messages, frames, hardware addresses, options."""
