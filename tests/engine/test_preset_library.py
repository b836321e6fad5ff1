"""What the library's presets say of models holds, and each makes a request, on the command line and in a job's folder."""

import json
from argparse import ArgumentParser
from pathlib import Path

import pytest

import presets
from engine.backbones import vocabulary
from engine.backbones.pocket.vocabulary import sources
from engine.commands import presets as command
from engine.commands import separation_options
from engine.daemon.request_mapping import request_from
from engine.models.catalogue import CATALOGUE
from host_bridge.errors import BadRequest
from host_bridge.paths import places
from host_bridge.spool.documents import RequestFile
from host_bridge.spool.job_folders import Spool
from host_bridge.types import Stem


@pytest.mark.parametrize("name", presets.names())
def test_every_model_that_a_preset_names_exists_and_knows_its_words(name: str) -> None:
    preset = presets.load(name)
    assert {*preset.models} <= {*CATALOGUE}
    closed = {model.name for model in CATALOGUE.values() if vocabulary(model.backbone)}
    assert closed == {"pocket", "ear"}  # another one wants another line here
    try:
        for prompt in (*preset.prompts, preset.unlike):
            sources(prompt)
    except BadRequest:
        assert "pocket" not in preset.models
    else:
        assert ("pocket" in preset.models) == bool(preset.prompts)  # one that names no sounds is for any model


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_one_request_on_the_command_line_and_in_a_jobs_folder(name: str, tmp_path: Path) -> None:
    preset = presets.load(name)
    parser = ArgumentParser()
    separation_options.add_options(parser)
    prompts = preset.prompts or ("piano",)
    words = [
        "--preset",
        name,
        *(() if preset.prompts else ("-p", "piano")),
        *(["--allow-extrapolation"] if preset.strength > 1 else []),
    ]
    here, batch_output = separation_options.resolve(parser.parse_args(words))
    assert here.prompts == prompts
    assert here.strengths == (preset.strength,) * len(prompts)
    assert here.unlike == preset.unlike
    assert (batch_output.gain_db, batch_output.stems) == (preset.gain_db, not preset.everything_but)

    spool = Spool(tmp_path / "spool")
    spool.prepare()
    (tmp_path / "region.wav").write_bytes(b"never read")
    stems = () if preset.prompts else (Stem("piano", preset.strength),)
    settings = {"beyond": True} if preset.strength > 1 else {}
    spool.put("preset-job", RequestFile(stems, preset=name, settings=settings), tmp_path / "region.wav")
    file = spool.request("preset-job")
    assert request_from(file, {}) == here
    assert file.settings.get("gain_db") == preset.gain_db
    assert file.settings.get("everything_but", False) == preset.everything_but


def test_the_list_is_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    said = capsys.readouterr().out
    assert all(f"\n{name} " in said for name in presets.names())
    assert command.main(["--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} == {*presets.names()}
    assert all(row["about"].startswith("Reach for this") and not row["own"] and not row["trouble"] for row in rows)


def test_ones_own_come_first_and_a_damaged_one_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    folder = places().config / "presets"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('title = "Mine"\nkind = "post"\nprompts = ["rain"]\n', encoding="utf-8")
    (folder / "broken.toml").write_text("title = ", encoding="utf-8")
    (folder / "drums.toml").write_text('title = "My drums"\nkind = "stems"\nprompts = ["kit"]\n', encoding="utf-8")
    assert command.main(["--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows[:3]} == {"mine", "broken", "drums"}
    assert [row["title"] for row in rows if row["name"] == "drums"] == ["My drums"]  # theirs goes before the library's
    assert "is not valid TOML" in next(row["trouble"] for row in rows if row["name"] == "broken")
    assert command.main([]) == 0
    assert "mine (yours)" in capsys.readouterr().out


def test_one_preset_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["lead-vocal"]) == 0
    said = capsys.readouterr().out
    assert presets.about("lead-vocal") in said
    assert "unlike: instrumental music" in said
    with pytest.raises(presets.PresetError, match="Did you mean 'drums'?"):
        command.main(["drms"])
