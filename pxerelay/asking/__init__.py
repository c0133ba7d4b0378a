"""Questions of our own to servers, in the name of a client that is not there."""
