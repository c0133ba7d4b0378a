"""What happens at night: one thing breaks, and the requests of others go on.

In each test real clients ask real servers through the daemon all the time, and every answer is counted.
The module is named after what breaks; each test tells in its docstring what the night brought and what must
hold. Two things need a machine of their own and are elsewhere: the clock that jumps and sockets of VRFs
(tests/guest/inside/test_night.py), and the restart by systemd (molecule/default). docs/night.md is the table
of all of them for administrators.
"""
