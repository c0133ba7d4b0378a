"""The documentation as a site, as `make docs` builds it."""
