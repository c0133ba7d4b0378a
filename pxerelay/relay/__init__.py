"""One message in, a decision out; what became of it: counters, traces, unknown clients, questions."""
