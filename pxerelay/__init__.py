"""A DHCP relay agent that chooses the PXE boot server per client."""

__version__ = "1.0.0"
