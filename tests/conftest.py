"""What every test gets: a home of its own, so that nothing of the user's is read or written."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

from host_bridge.environment import prepare

hypothesis.settings.register_profile("no deadline", deadline=None)  # a busy machine is slow, and that is no fault
hypothesis.settings.load_profile("no deadline")

os.environ["OMP_NUM_THREADS"] = "1"
"""Before torch is imported, for us and for every process that a test starts: threads of several processes that wait for each
other's turn on few cores take ten times as long."""

prepare()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start what runs in the background; programs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _table_of_needs() -> ModuleType:
    """`needs.py` of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location("zerostem_tests_needs", Path(__file__).with_name("needs.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


needs = _table_of_needs()


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's settings, caches and logs lie."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ZEROSTEM_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def need() -> Callable[..., None]:
    """Have what the system must bring, by names of `needs.py`'s table; else the test is skipped, saying what is missing."""
    return _need


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--timing", action="store_true", help="run the tests that hold the machine to a time, and hold it to it")


@pytest.fixture
def in_time(request: pytest.FixtureRequest) -> Callable[[float, float], None]:
    """in_time(took, limit): took must be less than the limit; with --timing only, for a machine that is busy is slow."""
    held = request.config.getoption("--timing")

    def check(took: float, limit: float) -> None:
        assert took < limit or not held, f"it took {took:.3g}, not less than {limit:.3g}"

    return check


def _need(*names: str) -> None:
    lacking = needs.missing(names)
    if lacking and needs.may_install():
        needs.install(needs.packages(lacking))
        lacking = needs.missing(names)
    if lacking:
        pytest.skip(needs.sentence(lacking))


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what wants something of the system `system`, and what can be held to a time `timing`.

    So the first can be run where the second table's packages were just installed, and the second while the machine is quiet.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.get_closest_marker("needs") or "need" in fixtures:
            item.add_marker(pytest.mark.system)
        if "in_time" in fixtures:
            item.add_marker(pytest.mark.timing)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        _need(*marker.args)
    if item.get_closest_marker("gpu"):
        import torch

        if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
            pytest.skip("this machine has no CUDA or MPS device")
