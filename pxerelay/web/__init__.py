"""`pxerelay web`: a read-only page over the control socket, a process of its own.

`settings` reads its own small file; `daemon_client`, `relays` and `rule_index` are where answers come from;
`search`, `overview` and `live` make them; `pages` and `api` show them; `guard` stands in front, and `serve`
runs it.
"""
