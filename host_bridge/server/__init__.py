"""The daemon's end of the protocol: UDP and TCP sockets on one port of the loopback interface."""
