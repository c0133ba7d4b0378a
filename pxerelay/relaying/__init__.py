"""One message in, a decision out; messages whose way is known already; what is counted of both."""
