"""What a bench was run on, in two lines."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

import torch


def described() -> str:
    """When, which processor, how busy it was, and the versions that count."""
    from engine import doctor

    machine = doctor.report()["machine"]
    packages = ", ".join(f"{name} {version(name)}" for name in ("zerostem", "torch", "numpy", "diffusers"))
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    return "\n".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine['processor']}; cores: {machine['cores']}, {threads} threads;",
            f"{machine['memory']}; load when it began: {load:.1f}. Python {platform.python_version()}, {packages}.",
        )
    )
