"""Tests that need what not every machine's kernel has, 802.1Q and VRFs, or set its clock, in a guest kernel.

`machine` boots Debian's user-mode-linux on this machine's own files, `init` is the guest's first
process, and `inside` holds the tests, which are ordinary ones: on a machine whose kernel has all that,
`pytest tests/guest/inside` runs them without a guest.
"""
