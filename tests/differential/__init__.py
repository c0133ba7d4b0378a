"""The same messages through ISC dhcrelay, dnsmasq and pxerelay; what comes out is compared byte by byte.

Each relay has a network of its own with one client VLAN and one server. A difference is a bug of ours, or
a row in differences.yml that says which RFC makes us right. `python -m tests.differential` prints them all.
"""
