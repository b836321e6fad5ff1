"""The other end: a client for the panel, the command line and tests, and how it starts the daemon."""
