"""What every test gets: a home of its own, so that nothing of the user's is read or written."""

import os
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
"""Before torch is imported, for us and for every process that a test starts: threads of several processes that wait for each
other's turn on few cores take ten times as long."""


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's settings, caches and logs lie."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ZEROSTEM_HOME", str(folder))
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
            pytest.skip("this machine has no CUDA or MPS device")
