"""Tracks of a closed REAPER project: what its items play, and new tracks that leave every other line as it was."""

import difflib
import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_bridge.hosts.files import tracks
from host_bridge.hosts.files.items import Item
from host_bridge.hosts.files.rpp import BadProject, key, words
from host_bridge.hosts.files.tracks import Clip, Project, Track, read

ITEM = """\
    <ITEM
      POSITION 2.5 5.0
      SNAPOFFS 0.125
      LENGTH 3.00000000000001
      LOOP 1
      ALLTAKES 0
      FADEIN 1 0.01 0 1 0 0 0
      FADEOUT 3 0.25 0 3 0 0 0
      MUTE 0 0
      SEL 1
      IGUID {62DB51D0-B9CC-EB4B-AE0D-6D7A4C6187FE}
      IID 7
      NAME "mix, take 1"
      VOLPAN 0.5 -0.25 0.8 -1
      SOFFS 0.75 1.5
      PLAYRATE 1 1 0 -1 0 0.0025
      CHANMODE 3
      GUID {63074C1F-71AA-4440-B51E-83037C6D1BEC}
      <SOURCE WAVE
        FILE "Media\\mix.wav"
      >
    >
"""


def song(item: str = ITEM, bus: str = "0 0") -> str:
    """Four tracks; the second holds the item, and the last two hear others by number."""
    return f"""\
<REAPER_PROJECT 0.1 "7.22/linux-x86_64" 1700000000
  <NOTES 0 2
    | < not a block > and
    |>
  >
  RECORD_PATH "Media" ""
  TEMPO 93.5 3 4
  <RENDER_CFG
    ZXZhdxgAAA==
  >
  <TRACK {{AAAAAAAA-0000-0000-0000-000000000001}}
    NAME Drums
    ISBUS 1 1
    AUXRECV 2 0 1 0 0 0 0 0 0 -1:U 0 -1 ''
  >
  <TRACK {{AAAAAAAA-0000-0000-0000-000000000002}}
    NAME 'The "Mix"'
    PEAKCOL 16576
    BEAT -1
    VOLPAN 0.7 0.1 -1 -1 1
    MUTESOLO 0 0 0
    ISBUS {bus}
    NCHAN 2
    FX 1
    <FXCHAIN
      <VST "VST: ReaEQ (Cockos)" reaeq.dll 0 "" 1919247729
        cXNlcu5e7f4CAAAA
      >
    >
{item}  >
  <TRACK {{AAAAAAAA-0000-0000-0000-000000000003}}
    NAME ""
    AUXRECV 0 0 1 0 0 0 0 0 0 -1:U 0 -1 ''
    AUXRECV 1 3 0.5 0 0 0 0 0 0 -1:U 0 -1 ''
  >
  <TRACK {{AAAAAAAA-0000-0000-0000-000000000004}}
    NAME Drums
    AUXRECV 2 0 1 0 0 0 0 0 0 -1:U 0 -1 ''
  >
  <EXTENSIONS
    <S&M_FOO
      unknown "things" ` ' <
    >
  >
>
"""


def opened(folder: Path, text: str) -> Project:
    (folder / "Media").mkdir(exist_ok=True)
    (folder / "Media" / "mix.wav").touch()
    path = folder / "song.RPP"
    path.write_bytes(text.encode())
    return read(path)


def the_item(folder: Path, item: str) -> Item:
    return opened(folder, song(item)).tracks[1].items[0]


def with_two(project: Project, number: int = 2) -> bytes:
    source = project.tracks[number - 1]
    files = [project.media / "song stems" / f"{name}.wav" for name in ("kick", "rest")]
    stems = [
        (f"Mix - {file.stem}", [Clip(item, file.stem, file, Fraction(1, 96000)) for item in source.items]) for file in files
    ]
    return project.with_stems(source, stems)


def changes(before: bytes, after: bytes) -> list[str]:
    """Each line that is gone or new, with its sign."""
    old, new = (data.decode().splitlines() for data in (before, after))
    return [line for line in difflib.ndiff(old, new) if line[0] in "+-"]


def test_a_project_tells_its_tracks_its_tempo_and_where_it_records(tmp_path: Path) -> None:
    project = opened(tmp_path, song())
    assert [(track.number, track.name) for track in project.tracks] == [(1, "Drums"), (2, 'The "Mix"'), (3, ""), (4, "Drums")]
    assert project.tempo == (93.5, 3, 4)
    assert project.media == tmp_path / "Media"


def test_an_item_is_exact_and_finds_its_file_whoever_wrote_the_path(tmp_path: Path) -> None:
    item = the_item(tmp_path, ITEM)
    assert item.unfit == ""
    assert item.name == "mix, take 1"
    assert (item.position_s, item.offset_s) == (Fraction(5, 2), Fraction(3, 4))
    assert item.length_s == Fraction("3.00000000000001")
    assert item.loops
    assert item.file is not None
    assert item.file.samefile(tmp_path / "Media" / "mix.wav")
    assert (item.fade_in_s, item.fade_out_s) == (Fraction(1, 100), Fraction(1, 4))


def test_a_track_is_found_by_its_name_or_its_number_and_never_guessed(tmp_path: Path) -> None:
    project = opened(tmp_path, song())
    assert project.track('The "Mix"').number == project.track("2").number == 2
    assert project.track("").number == 3
    with pytest.raises(BadProject, match=r"2 tracks are called Drums: 1, 4\. Give --track the number"):
        project.track("Drums")
    with pytest.raises(BadProject, match=r'has no track Bass\. Its tracks are: 1 Drums, 2 The "Mix", 3, 4 Drums\.'):
        project.track("Bass")


UNFIT = [
    ("PLAYRATE 1 1 0", "PLAYRATE 1.25 1 0", "plays at 1.25 times its speed"),
    ("PLAYRATE 1 1 0 ", "PLAYRATE 1 1 -2 ", "is pitched by -2 semitones"),
    ("CHANMODE 3", "SM 0 0 + 1 1.2", "has stretch markers"),
    ("      <SOURCE", "      <TAKEFX\n      >\n      <SOURCE", "has effects of its own"),
    ("      <SOURCE ", "      <VOLENV\n        PT 0 1 0\n      >\n      <SOURCE ", "has a VOLENV of its own"),
    ("mix.wav", "gone.wav", r"plays Media\gone.wav, which is missing"),
    ("SOURCE WAVE", "SOURCE MIDI", "is MIDI, which has no sound of its own"),
    ("SOURCE WAVE\n", "SOURCE SECTION\n", "plays a section of its file, or plays it backwards"),
    ("SOURCE", "SOURCE CLICK\nX", "holds a CLICK, which is no file of sound"),
    ('        FILE "Media\\mix.wav"\n', "", "plays a file, which is missing"),
    ("<SOURCE WAVE", "<NOTES", "holds no sound"),
    ("POSITION 2.5", "POSITION later", "has no place or no length"),
    ("LENGTH 3", "LENGTH -3", "has no place or no length"),
    ("ALLTAKES 0", "ALLTAKES 1", "plays all its takes at once"),
]


@pytest.mark.parametrize(("old", "new", "why"), UNFIT)
def test_what_an_item_does_beyond_playing_its_file_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    second = "      TAKE\n      NAME other\n" if old == "ALLTAKES 0" else ""
    assert old in ITEM
    assert the_item(tmp_path, ITEM.replace(old, new, 1).removesuffix("    >\n") + f"{second}    >\n").unfit == why


def test_items_in_lanes_are_left_alone(tmp_path: Path) -> None:
    lanes = opened(tmp_path, song().replace("    PEAKCOL 16576\n", "    PEAKCOL 16576\n    FREEMODE 2\n"))
    assert lanes.tracks[1].items[0].unfit == "lies in a lane, and which lanes play is not told plainly"


SECOND = """\
      TAKE NULL
      TAKE SEL
      NAME better
      TAKEVOLPAN 0.5 2 -1
      SOFFS 1
      PLAYRATE 1 1 0 -1 0 0.0025
      <SOURCE FLAC
        FILE "Media/mix.wav"
      >
    >
"""
TAKES = ITEM.removesuffix("    >\n") + SECOND


def test_the_take_that_plays_is_the_one_that_is_read(tmp_path: Path) -> None:
    first = the_item(tmp_path, TAKES.replace("TAKE SEL", "TAKE"))
    assert (first.name, first.offset_s, first.unfit) == ("mix, take 1", Fraction(3, 4), "")
    second = the_item(tmp_path, TAKES)
    assert (second.name, second.offset_s, second.unfit) == ("better", Fraction(1), "")
    assert b"VOLPAN 0.5 0.5 2 -1" in second.kept
    assert b"VOLPAN 0.5 -0.25 0.8 -1" in first.kept
    assert (
        the_item(tmp_path, ITEM.removesuffix("    >\n") + SECOND.replace("PLAYRATE 1", "PLAYRATE 2")).unfit
        == "plays at 2 times its speed"
    )
    assert the_item(tmp_path, TAKES.replace("TAKE NULL", "TAKE NULL SEL")).unfit == "holds no sound"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_new_tracks_stand_right_under_the_source_and_no_other_line_changes(tmp_path: Path, end: str) -> None:
    project = opened(tmp_path, song().replace("\n", end))
    after = with_two(project)
    assert after.count(b"\r") == (after.count(b"\n") if end == "\r\n" else 0)
    told = changes(project.data, after)
    assert [line for line in told if line[0] == "-"] == ["-     AUXRECV 2 0 1 0 0 0 0 0 0 -1:U 0 -1 ''"] * 2
    assert told.count("+     AUXRECV 4 0 1 0 0 0 0 0 0 -1:U 0 -1 ''") == 2
    (tmp_path / "after.RPP").write_bytes(after)
    (project.media / "song stems").mkdir()
    for name in ("kick", "rest"):
        (project.media / "song stems" / f"{name}.wav").touch()
    again = read(tmp_path / "after.RPP")
    assert [track.name for track in again.tracks] == ["Drums", 'The "Mix"', "Mix - kick", "Mix - rest", "", "Drums"]
    for track in again.tracks[2:4]:
        (item,) = track.items
        source = project.tracks[1].items[0]
        assert item.unfit == ""
        assert (item.position_s, item.length_s) == (source.position_s, source.length_s)
        assert (item.fade_in_s, item.fade_out_s, item.loops) == (source.fade_in_s, source.fade_out_s, False)
        assert abs(item.offset_s - Fraction(1, 96000)) < Fraction(1, 10**14)
        assert item.kept == source.kept


@pytest.mark.parametrize("line", ["      MUTE 0 0\n", "      MUTE 1 0\n", ""])
def test_the_source_is_muted_on_wish_and_its_stems_are_not(tmp_path: Path, line: str) -> None:
    project = opened(tmp_path, song(ITEM.replace("      MUTE 0 0\n", line)))
    source = project.tracks[1]
    stems = [("kick", [Clip(source.items[0], "kick", project.media / "kick.wav", Fraction(0))])]
    told = changes(project.with_stems(source, stems), project.with_stems(source, stems, mute=True))
    told = [each for each in told if "{" not in each]  # new names for everything in each
    assert told == {"      MUTE 0 0\n": ["-       MUTE 0 0", "+       MUTE 1 0"], "": ["+       MUTE 1 0"]}.get(line, [])


def test_stems_look_and_sound_like_their_source(tmp_path: Path) -> None:
    project = opened(tmp_path, song())
    after = with_two(project).decode().splitlines()
    start = after.index('    NAME "Mix - kick"')
    track = after[start - 1 : after.index('    NAME "Mix - rest"') - 1]
    for line in ("PEAKCOL 16576", "VOLPAN 0.7 0.1 -1 -1 1", "NCHAN 2", "VOLPAN 0.5 -0.25 0.8 -1", "CHANMODE 3", "ISBUS 0 0"):
        assert line in [each.strip() for each in track]
    assert '        FILE "Media/song stems/kick.wav"' in track
    assert sum("{" in line for line in track) == len({line.split()[-1] for line in track if "{" in line}) + 1  # TRACKID repeats


def test_a_source_that_ends_a_folder_hands_its_end_to_the_last_stem(tmp_path: Path) -> None:
    project = opened(tmp_path, song(bus="2 -2"))
    told = changes(project.data, with_two(project))
    assert "-     ISBUS 2 -2" in told
    assert [line.strip("+ ") for line in told if line.startswith("+     ISBUS")] == ["ISBUS 0 0", "ISBUS 0 0", "ISBUS 2 -2"]


def test_stems_of_a_folders_own_items_go_into_it_and_leave_its_volume_to_it(tmp_path: Path) -> None:
    project = opened(tmp_path, song(bus="1 1"))
    told = changes(project.data, with_two(project))
    assert "+     VOLPAN 0.7 0.1 -1 -1 1" not in told
    assert not [line for line in told if line.startswith("-     ISBUS")]


def test_media_outside_the_project_is_named_by_its_whole_path(tmp_path: Path) -> None:
    project = opened(tmp_path, song().replace('RECORD_PATH "Media"', f'RECORD_PATH "{tmp_path.parent}/disk"'))
    assert f'FILE "{tmp_path.parent}/disk/song stems/kick.wav"'.encode() in with_two(project)


@pytest.mark.skipif(os.name == "nt", reason="these are paths of other systems")
@pytest.mark.parametrize(
    "elsewhere",
    [
        "C:\\Users\\me\\Media",
        "c:/Music/Media",
        "D:Media",
        "D:",
        "\\\\server\\share\\Media",
        "//server/share/Media",
        "/Volumes/nobody here/Music/Media",
    ],
)
def test_a_media_folder_of_another_system_makes_no_folder_here(tmp_path: Path, elsewhere: str) -> None:
    project = opened(tmp_path, song().replace('RECORD_PATH "Media"', f'RECORD_PATH "{elsewhere}"'))
    assert project.media == tmp_path
    assert project.media_missing == elsewhere
    assert b'FILE "song stems/kick.wav"' in with_two(project)


@pytest.mark.skipif(os.name == "nt", reason="these are paths of other systems")
@pytest.mark.parametrize(
    ("told", "folder"),
    [
        ("", ""),
        ("Media", "Media"),
        ("not there yet", "not there yet"),
        ("Media\\today", "Media/today"),
        ("..\\shared", "../shared"),
        ("../shared", "../shared"),
        (".\\Media", "Media"),
    ],
)
def test_a_media_folder_below_or_beside_the_project_is_taken_whoever_wrote_it(tmp_path: Path, told: str, folder: str) -> None:
    project = opened(tmp_path, song().replace('RECORD_PATH "Media"', f'RECORD_PATH "{told}"'))
    assert (project.media, project.media_missing) == (tmp_path / folder, "")


@pytest.mark.skipif(os.name == "nt", reason="these are names that Windows cannot have")
def test_a_folder_that_is_really_called_so_is_taken(tmp_path: Path) -> None:
    for name in ("C:\\Media", "D:"):
        (tmp_path / name).mkdir()
        assert opened(tmp_path, song().replace('RECORD_PATH "Media"', f'RECORD_PATH "{name}"')).media == tmp_path / name


@pytest.mark.skipif(os.name == "nt", reason="these are paths of other systems")
@pytest.mark.parametrize(
    "told",
    ["C:\\Users\\me\\mix.wav", "c:/mix.wav", "\\\\server\\share\\mix.wav", "//server/share/mix.wav", "/Volumes/Disk/mix.wav"],
)
def test_a_file_of_another_system_is_missing_and_the_item_is_called_by_its_name_alone(tmp_path: Path, told: str) -> None:
    item = ITEM.replace("Media\\mix.wav", told).replace('      NAME "mix, take 1"\n', "")
    (found,) = opened(tmp_path, song(item)).tracks[1].items
    assert found.name == "mix"
    assert found.unfit == f"plays {told}, which is missing"


@pytest.mark.skipif(os.name == "nt", reason="a drive letter is a place there")
@pytest.mark.parametrize("told", ["..\\shared\\mix.wav", "../shared/mix.wav", ".\\..\\shared\\mix.wav"])
def test_a_file_beside_the_project_is_found_whoever_wrote_its_path(tmp_path: Path, told: str) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "mix.wav").touch()
    (tmp_path / "songs" / "one").mkdir(parents=True)
    (found,) = opened(tmp_path / "songs", song(ITEM.replace("Media\\mix.wav", told))).tracks[1].items
    assert found.file is not None
    assert found.file.samefile(tmp_path / "shared" / "mix.wav")


@pytest.mark.parametrize(
    "name", ["two words", "it's", 'a "b"', "`", "a`'\"b", "# ; not a comment", "<TRACK", ">", "\r\n>\r\n", "ü"]
)
def test_no_name_of_a_track_can_break_the_project(tmp_path: Path, name: str) -> None:
    project = opened(tmp_path, song())
    (tmp_path / "after.RPP").write_bytes(project.with_stems(project.tracks[1], [(name, [])]))
    again = read(tmp_path / "after.RPP")
    assert len(again.tracks) == 5
    assert again.tracks[2].name == {"\r\n>\r\n": ">", "a`'\"b": "a''\"b"}.get(name, name)


def test_bytes_of_another_encoding_stay_and_are_shown(tmp_path: Path) -> None:
    data = song().replace("Drums", "Größe").encode("cp1252")
    (tmp_path / "song.RPP").write_bytes(data)
    project = read(tmp_path / "song.RPP")
    assert project.tracks[0].name == "Größe"
    assert b"Gr\xf6\xdfe" in with_two(project)


def test_what_is_no_plain_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = opened(tmp_path, song())
    (tmp_path / "link.RPP").symlink_to(project.path)
    for path, why in ((tmp_path / "link.RPP", "is a link"), (tmp_path, "is not a file"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(BadProject, match=why):
            read(path)
    monkeypatch.setattr(tracks, "LARGEST", 10)
    with pytest.raises(BadProject, match="too many for a project"):
        read(project.path)


def test_items_with_lines_of_no_sense_are_unfit_and_not_an_error(tmp_path: Path) -> None:
    nonsense = "<ITEM\nPOSITION\nLENGTH 1e999\nSOFFS nan\nFADEIN x y\nTAKE SEL\n>\n<ITEM\n>\n"
    track: Track = opened(tmp_path, song(nonsense)).tracks[1]
    assert [item.unfit for item in track.items] == ["has no place or no length"] * 2
    assert [item.name for item in track.items] == ["item 1", "item 2"]


LINES = song(TAKES).encode().splitlines(keepends=True)
SPLINTERS = [
    b">",
    b"<",
    b"<TRACK\n",
    b"<ITEM\n",
    b'"',
    b"\x00",
    b"\xff",
    b"TAKE SEL\n",
    b"ISBUS 2 -9\n",
    b"AUXRECV -1\n",
    b"1e99",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "twice", "cut", *SPLINTERS])), max_size=6))
def test_a_project_that_is_damaged_is_told_or_grows_by_just_our_tracks(
    tmp_path: Path, hurts: list[tuple[int, str | bytes]]
) -> None:
    lines = list(LINES)
    for at, how in hurts:
        hurt = {"drop": b"", "twice": lines[at] * 2, "cut": lines[at][: len(lines[at]) // 2]}
        lines[at] = lines[at][:-1] + how if isinstance(how, bytes) else hurt[how]
    path = tmp_path / "song.RPP"
    path.write_bytes(b"".join(lines))
    try:
        project = read(path)
    except BadProject:
        return
    for source in project.tracks:
        path.write_bytes(
            project.with_stems(source, [("new", [Clip(each, "n", tmp_path / "n.wav", Fraction(0)) for each in source.items])])
        )
        names = [track.name for track in read(path).tracks]
        assert names == [each.name for each in project.tracks[: source.number]] + ["new"] + [
            each.name for each in project.tracks[source.number :]
        ]


def test_a_receive_from_a_number_beyond_all_numbers_stays(tmp_path: Path) -> None:
    project = opened(tmp_path, song().replace("AUXRECV 0", f"AUXRECV {'9' * 5000}"))
    assert f"AUXRECV {'9' * 5000}".encode() in with_two(project)


def test_keys_and_words_agree_on_the_first_word() -> None:
    assert key(b"   NAME x") == words(b"   NAME x")[0].encode()
