"""The comparison of DHCPv6: the same messages through ISC dhcrelay -6, dnsmasq and pxerelay."""
