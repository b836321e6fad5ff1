"""Text for people shows whatever a file name holds, and JSON for programs loses nothing of it."""

import io
import json
import os
import sys

import pytest

from host_bridge.text import as_json, print_json, printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("song.wav", "song.wav"),
        ("Übung 🥁 \u200d", "Übung 🥁 \u200d"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[31mred\x07\x7f\x9b", r"\x1b[31mred\x07\x7f\x9b"),
        ("bad\udcff", r"bad\xff"),
        ("\ud800", r"\ud800"),
        ("gpj.\u202evaw", r"gpj.\u202evaw"),
        ("line\u2028end", r"line\u2028end"),
    ],
)
def test_what_is_no_character_to_look_at_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).encode()


def test_json_is_utf_8_and_gives_the_bytes_of_a_path_back(monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.fsdecode("Ü/bad".encode() + b"\xff\x80.wav")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    print_json({"path": path})
    assert json.loads(stream.buffer.getvalue().decode("utf-8")) == {"path": path}
    assert os.fsencode(json.loads(as_json(path))) == os.fsencode(path)


@pytest.mark.parametrize("stem", ["é" * 200, "🥁" * 100, "a" * 300, "bad\udcff" * 90, "short"])
def test_a_name_is_shortened_to_so_many_bytes_and_keeps_its_end(stem: str) -> None:
    name = shortened(stem, " (2).wav")
    assert len(os.fsencode(name)) <= 255
    assert len(os.fsencode(name)) > 240 or name == "short (2).wav"
    assert name.endswith(" (2).wav")
