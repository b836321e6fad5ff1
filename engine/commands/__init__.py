"""One file per `zerostem` command; `host_bridge.cli` loads one when it is called."""
