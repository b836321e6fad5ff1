"""The DAWs that ZeroStem reaches into: one package each, with a `HOST` as `base.Host` has it; one line here adds one."""

import importlib

from host_bridge.hosts.base import Host

HOSTS = {
    "reaper": "host_bridge.hosts.reaper",
    "ardour": "host_bridge.hosts.ardour",
    "audacity": "host_bridge.hosts.audacity",
}
"""By the name in `zerostem install NAME` and in a request's `host`: the package, imported when it is asked for."""


def load(name: str) -> Host:
    """The host of that name. Raises KeyError."""
    host: Host = importlib.import_module(HOSTS[name]).HOST
    return host
