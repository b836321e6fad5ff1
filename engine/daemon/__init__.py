"""The daemon: a process that takes jobs from DAWs, the panel and the command line, and runs them on one device.

`main` builds its parts in order and closes them in reverse. README.md says which thread may touch what.
"""
