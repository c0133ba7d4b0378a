"""What an editor makes of the schema: `make editor`, with a real YAML language server from npm."""
