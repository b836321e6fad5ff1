"""What tests want of the system is looked up exactly, in one table; the machine is changed only where that was asked for."""

import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parent
LOOKED_UP_ELSEWHERE = re.compile(r"shutil\.which\(|find_library|\"apt-get\"|CDLL\(|pytest\.skip\([^)]*(?:apt|installed)")
ALLOWED = {"needs.py", "test_needs.py"}
BUNDLED = re.compile(r"lib(?:Qt6|icu|c\.so|m\.so|pthread|dl\.so|rt\.so|gcc_s|stdc\+\+)")


@pytest.fixture
def needs() -> ModuleType:
    """The table, as the fixtures see it."""
    return sys.modules["zerostem_tests_needs"]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: ModuleType) -> Path:
    """The only folder on PATH, and nothing has been found yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(needs, "_found", set())
    return tmp_path


def stand_in(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755 | stat.S_IXUSR)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
@pytest.mark.parametrize(
    ("says", "found"),
    [
        ("Lua 5.4.6  Copyright (C) 1994-2023 Lua.org, PUC-Rio", True),
        ("Lua 5.3.6  Copyright (C) 1994-2020 Lua.org, PUC-Rio", False),
        ("Lua 5.1.5  Copyright (C) 1994-2012 Lua.org, PUC-Rio", False),
        ("Lua 5.14.0", False),
        ("", False),
    ],
)
def test_a_program_of_another_version_is_not_the_one_that_is_needed(
    needs: ModuleType, path: Path, says: str, found: bool
) -> None:
    stand_in(path, "lua5.4", f"echo '{says}'")
    assert (needs.missing(["lua5.4"]) == []) is found


def test_a_program_of_another_name_is_not_the_one_that_is_needed(needs: ModuleType, path: Path) -> None:
    stand_in(path, "lua", "echo 'Lua 5.4.6'")
    assert [need.what for need in needs.missing(["lua5.4"])] == ["lua5.4"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Qt's and PortAudio's wheels bring their libraries")
def test_a_library_that_cannot_be_loaded_is_missing_and_named_with_its_package(needs: ModuleType) -> None:
    lacking = [needs.library("libnowhere-of-ours.so.7", "libnowhere7"), needs.NEEDS["Xvfb"], needs.NEEDS["xdotool"]]
    assert not lacking[0].found()
    assert needs.sentence(lacking) == (
        "this machine lacks libnowhere-of-ours.so.7, Xvfb, xdotool: apt-get install libnowhere7 xdotool xvfb"
    )


def test_each_row_names_a_package_of_debians_or_says_what_to_do(needs: ModuleType) -> None:
    for need in needs.NEEDS.values():
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", need.package) or need.advice
    assert all(name in needs.NEEDS for group in needs.GROUPS.values() for name in group)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Qt's wheels bring what they need")
def test_every_library_that_qts_plug_in_for_x_names_has_its_row(needs: ModuleType) -> None:
    qt = pytest.importorskip("PyQt6", reason="PyQt6 is not installed: pip install 'zerostem[panel]'")
    folder = Path(qt.__file__).parent / "Qt6"
    named: set[str] = set()
    for file in (folder / "plugins/platforms/libqxcb.so", folder / "lib/libQt6XcbQpa.so.6"):
        named |= {name.decode() for name in re.findall(rb"\0(lib[\w+.-]+\.so\.\d+)(?=\0)", file.read_bytes())}
    assert "libxcb-cursor.so.0" in named
    assert {name for name in named if not BUNDLED.match(name)} <= {*needs.QT, *needs.QT_ON_X}


def test_the_packages_that_people_are_told_to_install_for_the_panel_are_those_of_the_table(needs: ModuleType) -> None:
    from ui.commands import LIBRARIES

    assert {*LIBRARIES} <= {*needs.packages(needs.rows(["qt", "qt on x"]))}
    readme = TESTS.with_name("README.md").read_text(encoding="utf-8")
    assert " ".join(LIBRARIES) in " ".join(readme.split())
    assert all(package in readme for package in needs.packages([needs.NEEDS["libportaudio.so.2"]]))


@pytest.mark.skipif(sys.platform != "linux", reason="apt-get is Debian's")
@pytest.mark.parametrize("asked", ["1", "0", None])
def test_packages_are_installed_only_where_that_was_asked_for(
    needs: ModuleType, path: Path, need: Callable[..., None], monkeypatch: pytest.MonkeyPatch, asked: str | None
) -> None:
    stand_in(path, "apt-get", f'echo "$@" >> "{path}/said"')
    monkeypatch.delenv(needs.INSTALL, raising=False)
    if asked is not None:
        monkeypatch.setenv(needs.INSTALL, asked)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    needs._index_renewed.cache_clear()
    with pytest.raises(pytest.skip.Exception, match=r"lacks lua5\.4: apt-get install lua5\.4"):
        need("lua5.4")
    needs._index_renewed.cache_clear()
    assert (path / "said").exists() is (asked == "1")
    if asked == "1":
        assert (path / "said").read_text().splitlines()[-1].endswith("install -y --no-install-recommends lua5.4")


WITHOUT_QT = """
import sys
import pytest
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PyQt6", "pyqtgraph"):
            raise ImportError("libGL.so.1: cannot open shared object file")
sys.meta_path.insert(0, Nowhere())
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", sys.argv[1]]))
"""


@pytest.mark.process
def test_without_the_libraries_that_qt_wants_every_test_of_the_panel_is_collected_all_the_same() -> None:
    command = [sys.executable, "-c", WITHOUT_QT, str(TESTS / "ui")]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout


def test_nobody_else_looks_programs_or_libraries_of_the_system_up() -> None:
    found = [
        str(file.relative_to(TESTS))
        for file in sorted(TESTS.rglob("*.py"))
        if file.name not in ALLOWED and LOOKED_UP_ELSEWHERE.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []
