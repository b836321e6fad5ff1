"""The OSC protocol without sockets: messages, their bytes, and which may come when (PROTOCOL.md)."""
