"""Which server a client has: the configuration as values, rules, pools of servers and their health."""
