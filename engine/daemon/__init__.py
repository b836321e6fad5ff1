"""The daemon's rooms: what happens to jobs, the line before the device, and the one thread that owns it.

`engine.daemon.main` opens them in order and closes them in reverse; no other room of the engine knows them.
"""
