"""`zerostem models list`: a table for people, JSON for programs, and no waiting for torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.commands.models import main
from engine.models import catalogue
from host_bridge.errors import BadRequest

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's, with room for a snapshot."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_every_model_has_a_line_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    header, *lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert len(lines) == len(catalogue.CATALOGUE)
    for line, model in zip(lines, catalogue.CATALOGUE.values(), strict=True):
        assert line.startswith(model.name)
        for title, cell in (("LICENCE", model.licence), ("GOOD FOR", model.good_for)):
            assert line[header.index(title) :].startswith(cell)
        assert line[header.index("HERE") :].startswith("no" if model.hub else "yes")


def test_the_default_is_marked_and_the_others_tell_how_to_get_them(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    out = capsys.readouterr().out
    assert "pocket (default)" in out
    assert "  zerostem models fetch audioldm-s-full-v2" in out.splitlines()


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["pocket"]["default"]
    assert (rows["pocket"]["state"], rows["pocket"]["folder"]) == ("here", str(catalogue.EMBEDDED["pocket"]))
    small = rows["audioldm-s-full-v2"]
    assert (small["state"], small["folder"], small["commercial"]) == ("missing", None, False)
    assert small["fetch"] == "zerostem models fetch audioldm-s-full-v2"


def test_half_a_download_is_shown_as_such(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = cache / "models--cvssp--audioldm-l-full"
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    main(["list", "--json"])
    states = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert (states["audioldm-l-full"], states["audioldm-m-full"]) == ("damaged", "missing")


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(BadRequest, match="invalid choice: 'lsit'"):
        main(["lsit"])


def test_it_needs_no_torch() -> None:
    code = "import sys; from engine.commands.models import main; main(['list']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "diffusers", "transformers", "scipy"} & set(done.stderr.split())
