"""Dependencies neither spin, nor report usage, nor write where nobody said they would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from host_bridge import environment

ROOT = Path(__file__).parents[2]
NAMES = [setting.name for setting in environment.SETTINGS]


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process without any of the variables but those given."""
    held = {name: value for name, value in os.environ.items() if name not in {*NAMES, *environment.FOLDERS}}
    return subprocess.run([sys.executable, "-c", code], env={**held, **variables}, text=True, capture_output=True, check=True)


PRINTED = f"; import os; print(*[os.environ.get(name) for name in {NAMES}])"
WANTED = [setting.value for setting in environment.SETTINGS]


@pytest.mark.parametrize(
    "module", ["engine", "host_bridge.cli", "engine.research.bench", "engine.batch.worker_pool", "installers.commands"]
)
def test_every_way_in_sets_them_before_torch_and_onnxruntime_are_loaded(module: str) -> None:
    code = f"import {module}, sys; from host_bridge.cli import main; main(['presets', '--json'])"
    told = python(f"{code}; assert not {{'torch', 'onnxruntime'}} & set(sys.modules){PRINTED}")
    assert told.stdout.splitlines()[-1].split() == WANTED


def test_importing_the_engine_is_enough_for_who_uses_it_as_a_library() -> None:
    assert python(f"import engine{PRINTED}").stdout.split() == WANTED


def test_what_the_user_has_set_stays() -> None:
    told = python(f"import engine{PRINTED}", OMP_WAIT_POLICY="ACTIVE").stdout.split()
    assert told == ["ACTIVE", *WANTED[1:]]


def test_torchs_own_openmp_library_says_that_it_waits_without_spinning() -> None:
    told = python("import engine, torch; torch.ones(9).sum()", OMP_DISPLAY_ENV="TRUE").stderr
    if "OMP_WAIT_POLICY" not in told:
        pytest.skip("this build of torch has an OpenMP library that does not show its settings")
    assert set(re.findall(r"OMP_WAIT_POLICY\s*=\s*'(\w+)'", told)) == {"PASSIVE"}


def test_a_library_user_who_imported_torch_first_is_told_that_it_is_too_late() -> None:
    told = python("import sys, types; sys.modules['torch'] = types.ModuleType('torch'); import engine")
    assert "RuntimeWarning" in told.stderr
    assert "OMP_WAIT_POLICY=PASSIVE" in told.stderr
    assert "Import `engine` first" in told.stderr


def test_who_set_the_variable_before_torch_is_told_nothing() -> None:
    code = "import sys, types; sys.modules['torch'] = types.ModuleType('torch'); import engine"
    assert not python(code, OMP_WAIT_POLICY="PASSIVE", KMP_BLOCKTIME="0").stderr


def test_in_effect_says_what_is_ours_what_is_the_users_and_what_came_too_late() -> None:
    code = (
        "import sys, types, warnings; warnings.simplefilter('ignore'); sys.modules['onnxruntime'] = types.ModuleType('o'); "
        "from host_bridge import environment as e; e.prepare(); "
        "print(*[f'{setting.name}: {said}' for setting, said in e.in_effect()], sep='\\n')"
    )
    told = dict(line.split(": ", 1) for line in python(code, OMP_WAIT_POLICY="active").stdout.splitlines())
    assert told["OMP_WAIT_POLICY"] == "SET TO active by you"
    assert told["KMP_BLOCKTIME"].startswith("0: ")
    assert told["ORT_DISABLE_TELEMETRY"] == "TOO LATE: onnxruntime was imported before ZeroStem"


def test_caches_of_dependencies_lie_in_ours_in_our_own_processes_and_stay_in_others() -> None:
    printed = f"; import os; print(*[os.environ.get(name) for name in {list(environment.FOLDERS)}])"
    own = "import sys; sys.argv = ['zerostem', '--version']; from host_bridge.cli import main; main()"
    told = python(own + printed, ZEROSTEM_HOME="/nowhere").stdout.splitlines()[-1].split()
    assert told == [str(Path("/nowhere/cache", folder)) for folder in environment.FOLDERS.values()]
    assert python("import engine" + printed).stdout.split() == ["None"] * len(environment.FOLDERS)


def test_the_security_page_names_every_variable_that_stops_a_report() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    stopping = [setting.name for setting in environment.SETTINGS if setting.reader != "torch"]
    assert len(stopping) > 3
    assert all(f"`{name}`" in page for name in stopping)


def named_folders() -> list[Path]:
    """Where the README says that files come to lie on Linux, below the home."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    return [Path(told) for told in re.findall(r"`~/([\w./-]+)`", page.split("## What scripts may rely on")[1])]


@pytest.mark.needs("network namespaces (unshare -rn)")
@pytest.mark.parametrize("execution", ["auto", "onnx"])
def test_a_job_without_a_network_writes_only_where_the_readme_says(execution: str, tmp_path: Path) -> None:
    if execution == "onnx":
        pytest.importorskip("onnx", reason="onnx is missing: pip install 'zerostem[cpu]'")
        pytest.importorskip("onnxruntime", reason="onnxruntime is missing: pip install 'zerostem[cpu]'")
    import soundfile

    home, temporary, out, song = (tmp_path / name for name in ("home", "tmp", "out", "song.wav"))
    home.mkdir()
    temporary.mkdir()
    sound, rate = soundfile.read(ROOT / "presets" / "demo" / "mix.flac", stop=44_100)
    soundfile.write(song, sound, rate)
    words = [sys.executable, "-m", "host_bridge", "separate", str(song), "-p", "drums", "--method", "contrast", "-o", str(out)]
    bare = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["unshare", "-rn", *words, "--execution", execution], env=bare, cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = [path.relative_to(home) for path in home.rglob("*") if not path.is_dir()]
    assert written  # an empty list would say that HOME was not looked at
    assert len(named_folders()) >= 4
    assert [path for path in written if not any(path.is_relative_to(folder) for folder in named_folders())] == []
    assert list(temporary.iterdir()) == []
    assert {path.name for path in out.iterdir()} == {"song - drums.wav", "song - rest.wav", "song.json"}
