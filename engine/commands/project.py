"""`zerostem project`: separates the items of a track in a REAPER project that is closed; stems become tracks right under it."""

import argparse
import dataclasses
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.commands import separation_options
from engine.commands.progress import bar
from engine.request import Request
from host_bridge.arguments import Parser
from host_bridge.errors import BadAudio, BadRequest, BadSpool, CannotWrite
from host_bridge.files.plain import write_atomic
from host_bridge.hosts.files import dawproject, stretch, tracks
from host_bridge.hosts.files.items import Item
from host_bridge.hosts.files.stretch import Stretch
from host_bridge.hosts.files.tracks import Clip, Project, Track
from host_bridge.text import printable, shortened

if TYPE_CHECKING:
    from engine.separation import OutputOptions, Separator

NOTES = """\
Close the project in REAPER first: it would write its own state over what is added here. The project as it was is kept
as FILE.RPP-zerostem-bak. Items whose sound the file does not tell plainly (another speed or pitch, effects of their own,
MIDI) are left alone and named; the exit code is then 1. A DAWproject carries places, lengths and fades, no volumes and pans;
the source is in it, muted.

examples:
  zerostem project song.RPP --track "Drum room" -p kick -p snare
  zerostem project song.RPP --track 3 --preset speech --out "song with stems.RPP"
  zerostem project song.RPP --track Mix -p drums --dawproject song.dawproject
"""
BACKUP = "-zerostem-bak"
REST = ""
"""What no stem took: no prompt is called so."""


def parser() -> Parser:
    """Every option; those of `separate` say what is wanted of each item."""
    made = Parser("zerostem project", epilog=NOTES, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.description = "Separate the items of a track in a closed REAPER project; stems become tracks right under it."
    made.add_argument("project", type=Path, metavar="FILE.RPP")
    made.add_argument("--track", required=True, metavar="NAME", help="the track, by its name or its number")
    separation_options.add_options(made)
    made.add_argument("--mute", action="store_true", help="mute the items whose stems were added, or both are heard")
    made.add_argument("-o", "--out", type=Path, metavar="FILE", help="write a new project beside the old, which stays as it is")
    made.add_argument(
        "--dawproject", type=Path, metavar="FILE", help="write a DAWproject, and leave the REAPER project as it is"
    )
    return made


def main(argv: list[str]) -> int:
    """Separate every item that can be, then add the tracks; 1 where an item was left alone."""
    options = parser().parse_args(argv)
    request, batch_output = separation_options.resolve(options)
    if options.start is not None or options.length is not None:
        raise BadRequest("The items say what is separated.", "Leave out --start and --length.")
    project = tracks.read(options.project)
    source = project.track(options.track)
    target = _target(project, options)
    stretches, left = stretch.fit(source)
    for sentence in left:
        print(f"zerostem: {printable(sentence)}", file=sys.stderr)
    if not stretches:
        raise BadRequest(
            f"Track {source.name or source.number} has no item that can be separated offline.",
            "In REAPER, glue or render the items first; the project is as it was.",
        )

    from engine.choose_model import model_for  # torch costs seconds: only once the request makes sense
    from engine.separation import Separator

    separator = Separator.load(model_for(options.name, request.prompts, request.method), options.device, options.execution)
    separator.check(request)
    if options.dawproject:  # which holds all sound itself
        folder = options.dawproject.absolute().with_name(f".{options.dawproject.name}.{os.getpid()}")
    else:
        if project.media_missing:
            print(
                f"zerostem: The project records into {project.media_missing}, which is not on this machine. "
                "The stems go beside the project.",
                file=sys.stderr,
            )
        folder = _free(project.media / f"{_safe(project.path.stem)} stems")
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        found = _all_separated(separator, stretches, request, batch_output, folder, left)
        called = source.name or f"track {source.number}"
        stems = [(f"{called} - {prompt or 'rest'}", clips) for prompt, clips in found.items() if clips]
        if not stems:
            raise BadRequest("No stem came out of this track.", "Name sounds that are in it; the project is as it was.")
        if options.dawproject:
            _write_dawproject(options.dawproject, project, source, stems)
            shutil.rmtree(folder)
        else:
            target = _write(project, source, stems, target, mute=options.mute)
            print(f"stems in {printable(folder)}")
    except BaseException:
        if options.dawproject or not _arrived(project, target):
            shutil.rmtree(folder, ignore_errors=True)  # made for this run, and nothing refers to it
        for each in made[1:]:
            with suppress(OSError):
                each.rmdir()
        raise
    print(f"written: {printable(options.dawproject or target)}")
    return int(bool(left))


def _all_separated(
    separator: "Separator",
    stretches: Sequence[Stretch],
    request: Request,
    batch_output: separation_options.BatchOutputOptions,
    folder: Path,
    left: list[str],
) -> dict[str, list[Clip]]:
    """The clips of each prompt, and of the rest; items whose sound cannot be used are told, and added to `left`."""
    found: dict[str, list[Clip]] = {prompt: [] for prompt in (*request.prompts, REST)}
    for number, each in enumerate(stretches, 1):
        item = each.item
        name = _safe(item.name if len(stretches) == 1 else f"{number:02} {item.name}")
        try:
            told = _separated(separator, each, request, batch_output.to(folder, name))
        except BadAudio as error:
            left.append(f"Item {item.number}, {item.name}: {error}")
            print(f"zerostem: {printable(left[-1])}", file=sys.stderr)
            continue
        for prompt, file in _placed(told).items():
            found[prompt].append(Clip(item, file.stem, file, each.offset_s))
        lacking = [stem["prompt"] for stem in told["stems"] if not stem["found"]]
        print(f"{printable(item.name)}: done{', without ' + ', '.join(lacking) if lacking else ''}", flush=True)
    return found


def _target(project: Project, options: argparse.Namespace) -> Path:
    """Where the project goes. Raises CannotWrite for what is in the way, BadRequest for what cannot be meant."""
    if options.out is None:
        if options.dawproject and os.path.lexists(options.dawproject):
            raise CannotWrite(f"{options.dawproject} is there already.", "Choose another name.")
        return project.path
    target = Path(options.out).absolute()
    if options.dawproject:
        raise BadRequest("--out and --dawproject are two different results.", "Give one of them.")
    if target.parent.resolve() != project.path.parent.resolve():
        raise BadRequest(f"{target} is in another folder, where the project's files would not be found.", "Name one beside it.")
    if os.path.lexists(target):
        raise CannotWrite(f"{target} is there already.", "Choose another name.")
    return target


def _separated(separator: "Separator", each: Stretch, request: Request, output_options: "OutputOptions") -> dict[str, Any]:
    output_options = dataclasses.replace(output_options, start_s=each.start / each.rate, length_s=each.length / each.rate)
    with bar(each.item.name) as progress:
        return separator.separate(each.file, request, output_options, progress)


def _placed(told: Mapping[str, Any]) -> dict[str, Path]:
    """The files that become clips, by prompt, the rest last: sounds that are not there get none."""
    stems = {stem["prompt"]: Path(stem["path"]) for stem in told["stems"] if stem["found"] and stem["path"]}
    return stems | ({REST: Path(told["rest"])} if told["rest"] else {})


def _write(project: Project, source: Track, stems: Sequence[tuple[str, Sequence[Clip]]], target: Path, *, mute: bool) -> Path:
    """Put the project into place, the old one kept; beside it, where somebody has saved it meanwhile. Returns where it is."""
    data = project.with_stems(source, stems, mute=mute)
    try:
        mode = project.path.stat().st_mode & 0o777
        if target == project.path:
            if project.path.read_bytes() != project.data:
                target = _free(project.path.with_name(shortened(project.path.stem, f" with stems{project.path.suffix}")))
                print(
                    "zerostem: The project was saved meanwhile and stays so; the stems are in a copy of what it was.",
                    file=sys.stderr,
                )
            else:
                backup = _free(project.path.with_name(shortened(project.path.name, BACKUP)))
                write_atomic(backup, project.data, mode)
                print(f"kept as it was: {printable(backup)}")
        write_atomic(target, data, mode)
    except (OSError, BadSpool) as error:
        refused = error.what if isinstance(error, BadSpool) else f"{target} cannot be written: {error.strerror}."
        raise CannotWrite(refused, "Make room there, or check the folder's permissions; the project is as it was.") from error
    return target


def _arrived(project: Project, target: Path) -> bool:
    """Whether a project may lie there that refers to the stems: somebody may stop us just after it came into place."""
    return os.path.lexists(target) and (target != project.path or target.read_bytes() != project.data)


def _write_dawproject(path: Path, project: Project, source: Track, stems: Sequence[tuple[str, Sequence[Clip]]]) -> None:
    """The source's items, silent, and the stems under them."""
    sources = [_clip(item, item.name, item.file, item.offset_s) for item in source.items if item.file and not item.unfit]
    made = [dawproject.ProjectTrack(source.name or str(source.number), sources, muted=True)]
    for name, clips in stems:
        made.append(dawproject.ProjectTrack(name, [_clip(each.item, each.name, each.file, each.offset_s) for each in clips]))
    dawproject.write(path, project.path.stem, made, project.tempo)


def _clip(item: Item, name: str, file: Path, offset_s: Fraction) -> dawproject.ProjectClip:
    """What an item plays of a file; one that begins with silence begins later."""
    silent_s = max(Fraction(0), -offset_s)
    start_s, length_s, offset_s = item.position_s + silent_s, item.length_s - silent_s, offset_s + silent_s
    fades = (float(item.fade_in_s), float(item.fade_out_s))
    return dawproject.ProjectClip(name, file, float(start_s), float(length_s), float(offset_s), *fades)


def _safe(name: str) -> str:
    """A name as a file can have it."""
    from engine.files import outputs

    return outputs.input_name(name)


def _free(path: Path) -> Path:
    """The path, or the same with a number, so that nobody has it."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(shortened(path.stem, f" ({number}){path.suffix}"))
    return free
