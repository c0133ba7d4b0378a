"""A DHCP relay agent that chooses the PXE boot server per client."""

__version__ = "0.1.0"
