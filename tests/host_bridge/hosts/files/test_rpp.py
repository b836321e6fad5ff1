"""The grammar of .RPP files: every byte survives, words are read as REAPER quotes them, and hostile files are told in time."""

import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_bridge.hosts.files.rpp import BadProject, Said, exact, parse, quoted, words

WHOLE = (
    b'<REAPER_PROJECT 0.1 "7.0/x" 1\n  TEMPO 120 4 4\n  <TRACK {A}\n    NAME x\n    <ITEM\n      POSITION 1\n    >\n  >\n>\n'
)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n  \r\n"])
def test_lines_with_their_ends_make_the_same_bytes_again(end: bytes, tail: bytes) -> None:
    data = WHOLE.strip().replace(b"\n", end) + tail
    lines, root = parse(data, "x")
    assert b"".join(lines) == data
    assert lines[root.inner[0].first].split()[0] == b"<TRACK"


def test_a_block_owns_the_lines_that_are_in_no_inner_block() -> None:
    lines, root = parse(WHOLE, "x")
    assert [lines[at].split()[0] for at in root.own()] == [b"TEMPO"]
    assert [lines[at].split()[0] for at in root.inner[0].own()] == [b"NAME"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"NAME plain", ["NAME", "plain"]),
        (b'  NAME "two words" \'it "is"\' `\'"`\r\n', ["NAME", "two words", 'it "is"', "'\""]),
        (b'NAME ""', ["NAME", ""]),
        (b'NAME "never ends', ["NAME", '"never', "ends"]),
        ("NAME Größe".encode(), ["NAME", "Größe"]),
        ("NAME Größe".encode("cp1252"), ["NAME", "Größe"]),
        (b"NAME \x81", ["NAME", "\N{REPLACEMENT CHARACTER}"]),
        (b"", []),
    ],
)
def test_words_are_read_as_they_are_quoted(line: bytes, said: list[str]) -> None:
    assert words(line) == said


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_a_quoted_text_is_read_back_but_for_backticks_beside_both_quotes(text: str) -> None:
    line = quoted(text)
    assert b"\n" not in line
    assert words(b"NAME " + line) == ["NAME", text if not {'"', "'", "`"} <= set(text) else text.replace("`", "'")]


def test_a_text_with_line_ends_cannot_add_lines() -> None:
    assert quoted('a\n>\r\n<TRACK "x"') == b"'a > <TRACK \"x\"'"


def test_of_two_lines_that_begin_alike_the_first_counts() -> None:
    said = Said([b"NAME one", b" NAME two", b"X"], range(3))
    assert said.word(b"NAME", 1) == "one"
    assert said.word(b"NAME", 2, "usual") == said.word(b"NONE", 1, "usual") == "usual"
    assert said.line(b"X") == [b"X"]
    assert said.line(b"Y") == []
    assert b"X" in said


@pytest.mark.parametrize(("word", "value"), [("1.5", 1.5), ("-0", 0), ("+3.", 3), ("1e-3", 0.001)])
def test_numbers_are_exact(word: str, value: float) -> None:
    assert float(exact(word) or 0) == value


@pytest.mark.parametrize(
    "word", ["", "nan", "inf", "1,5", "1/3", "1e999", "0x10", "9" * 5000, "1_0", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_what_is_no_number_is_none(word: str) -> None:
    assert exact(word) is None


HOSTILE = {
    "nothing": b"",
    "blank": b"\n\n  \n",
    "binary": bytes(range(256)) * 40,
    "another form": b"RIFF....WAVEfmt ",
    "UTF-16": WHOLE.decode().encode("utf-16"),
    "cut off": WHOLE[:60],
    "cut off by one sign": WHOLE[: WHOLE.rindex(b">")],
    "one end too many": WHOLE + b">\n",
    "two projects": WHOLE + WHOLE,
    "a first line like it": b"<REAPER_PROJECTOR\n>\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_whole_project_is_told_with_the_files_name(data: bytes) -> None:
    with pytest.raises(BadProject, match=r"^song\.rpp is not "):
        parse(data, "song.rpp")


def test_a_hundred_thousand_blocks_in_each_other_are_counted_not_followed() -> None:
    deep = b"<REAPER_PROJECT\n" + b"<X\n" * 100_000 + b">\n" * 100_000
    assert parse(deep + b">\n", "x")[1].last == 200_001
    with pytest.raises(BadProject, match="ends inside a block that begins in line 1"):
        parse(deep, "x")


def test_a_line_of_a_hundred_megabytes_is_kept_and_not_taken_apart(in_time: Callable[[float, float], None]) -> None:
    long = b"VOLPAN " + b"1 " * (50 << 20)
    data = b"<REAPER_PROJECT\n" + long + b"\n>\n"
    tracemalloc.start()
    began = time.monotonic()
    lines, root = parse(data, "x")
    assert Said(lines, root.own()).word(b"VOLPAN", 1) == "1"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(data)
    in_time(time.monotonic() - began, 10)
    assert b"".join(lines) == data


def test_two_thousand_tracks_are_read_in_a_moment(in_time: Callable[[float, float], None]) -> None:
    data = b"<REAPER_PROJECT\n" + WHOLE[WHOLE.index(b"  <TRACK") : WHOLE.rindex(b">")] * 2000 + b">\n"
    began = time.monotonic()
    assert len(parse(data, "x")[1].inner) == 2000
    in_time(time.monotonic() - began, 2)
