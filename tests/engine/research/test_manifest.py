"""Manifests: what is read is what was written, and what cannot be meant is refused by its row."""

import json
from pathlib import Path

import pytest

from engine.research.bench import manifest
from engine.research.bench.manifest import Question
from host_bridge.errors import BadRequest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("mix.wav", "drums, loud.wav"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def saved(folder: Path, text: str, name: str = "manifest.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_what_was_written_is_read_with_paths_beside_the_manifest(folder: Path) -> None:
    questions = [
        Question("one", folder / "mix.wav", "drums", folder / "drums, loud.wav"),
        Question("two", folder / "mix.wav", "a choir, far away", None),
    ]
    manifest.write(folder / "manifest.csv", questions)
    assert str(folder) not in (folder / "manifest.csv").read_text(encoding="utf-8")
    assert manifest.read(folder / "manifest.csv") == questions


def test_json_says_the_same_as_csv(folder: Path) -> None:
    rows = [{"mixture": "mix.wav", "prompt": "drums", "target": "drums, loud.wav"}, {"mixture": "mix.wav", "prompt": "choir"}]
    csv = saved(folder, 'mixture,prompt,target\nmix.wav,drums,"drums, loud.wav"\nmix.wav,choir,\n')
    told = manifest.read(saved(folder, json.dumps(rows), "manifest.json"))
    assert told == manifest.read(csv)
    assert [(question.id, question.target is None) for question in told] == [("0001", False), ("0002", True)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mixture,prompt,traget\nmix.wav,drums,\n", "column traget"),
        ("mixture,prompt\nmix.wav,\n", "lacks a mixture or a prompt"),
        ("mixture,prompt,target\nmix.wav,drums,gone.wav\n", "gone.wav, which is not there"),
        ("id,mixture,prompt\na,mix.wav,drums\na,mix.wav,bass\n", "id a twice"),
        ("id,mixture,prompt\n../up,mix.wav,drums\n", "has the id ../up"),
        ("mixture,prompt\n", "has no rows"),
        ("mixture,prompt\nmix.wav,drums,more\n", "column None"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(folder: Path, text: str, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        manifest.read(saved(folder, text))
    assert said in caught.value.what


@pytest.mark.parametrize(("text", "said"), [("{", "is no JSON"), ("{}", "no list of objects"), ('[{"prompt": 1}]', "no text")])
def test_json_that_is_no_manifest_is_refused(folder: Path, text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        manifest.read(saved(folder, text, "manifest.json"))


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        manifest.read(tmp_path / "gone.csv")
