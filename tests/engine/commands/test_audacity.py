"""`zerostem audacity` where there is no Audacity to talk to: what it refuses, and which files it would bring in."""

import os
from pathlib import Path

import pytest

from engine.commands import audacity
from host_bridge.cli import main
from host_bridge.hosts.audacity.pipe import Ends


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Pipes that nobody listens to, wherever the user's own Audacity has its."""
    ends = Ends(str(tmp_path / "to"), str(tmp_path / "from"))
    monkeypatch.setattr(Ends, "usual", lambda: ends)
    return ends


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["-p", "drums"], 1, "Audacity does not run, or listens to no scripts. Start it;"),
        (["-p", "drums", "--start", "1"], 2, "The region is what is selected in Audacity. "),
        (["-p", "drums", "--length", "1"], 2, "The region is what is selected in Audacity. "),
        (["-p", "drums", "-d", "cpu"], 2, "The daemon has chosen its device when it was started. "),
        ([], 2, ""),
    ],
)
def test_what_cannot_be_done_is_said_before_a_daemon_is_started(
    words: list[str], code: int, sentence: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audacity", *words]) == code
    assert capsys.readouterr().err.removeprefix("zerostem: ").startswith(sentence)
    assert not (home / "spool").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes in its file system")
def test_the_pipe_of_an_audacity_that_has_ended_is_no_audacity(nobody: Ends, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(nobody.to)
    assert main(["audacity", "-p", "drums"]) == 1
    assert "does not run" in capsys.readouterr().err


def test_every_file_worth_a_track_is_brought_in_and_the_rest_comes_last() -> None:
    stems = [
        {"prompt": "drums", "found": True, "path": "/s/drums.wav", "generative": "/s/g.wav", "highlight": "/s/h.wav"},
        {"prompt": "oboe", "found": False, "path": "/s/oboe.wav", "generative": None, "highlight": None},
        {"prompt": "bass", "found": True, "path": None, "generative": None, "highlight": None},
    ]
    files = audacity._files({"stems": stems, "rest": "/s/rest.wav"})
    assert [(str(path), name) for path, name in files] == [
        ("/s/drums.wav", "drums"),
        ("/s/g.wav", "drums (generative)"),
        ("/s/h.wav", "drums (highlight)"),
        ("/s/rest.wav", "rest"),
    ]
    assert not list(audacity._files({"stems": [], "rest": None}))
