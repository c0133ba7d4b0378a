"""Boots over IPv6 that take longer: by HTTP, without a UUID, without M, of a loader that loads another."""
