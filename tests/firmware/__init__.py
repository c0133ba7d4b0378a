"""Real firmware boots through the relay: iPXE in a BIOS, and UEFI, each from the server of its own."""
