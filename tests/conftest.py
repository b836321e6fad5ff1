"""What every test gets: a home of its own, so that nothing of the user's is read or written."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from host_bridge.environment import prepare

os.environ["OMP_NUM_THREADS"] = "1"
"""Before torch is imported, for us and for every process that a test starts: threads of several processes that wait for each
other's turn on few cores take ten times as long."""

prepare()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start what runs in the background; programs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's settings, caches and logs lie."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ZEROSTEM_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def need() -> Callable[[Mapping[str, str]], None]:
    """Have programs (-> Debian's packages), installed where we may; else the test is skipped, saying what is missing."""

    def have(programs: Mapping[str, str]) -> None:
        missing = [program for program in programs if not shutil.which(program)]
        if missing and sys.platform == "linux" and os.getuid() == 0 and shutil.which("apt-get"):
            packages = sorted({programs[program] for program in missing})
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
                subprocess.run(["apt-get", "-qq", *words], env=environment, check=False, capture_output=True, timeout=600)
            missing = [program for program in programs if not shutil.which(program)]
        if missing:
            pytest.skip(f"this machine has no {', '.join(missing)}: apt install {' '.join(programs[each] for each in missing)}")

    return have


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
            pytest.skip("this machine has no CUDA or MPS device")
