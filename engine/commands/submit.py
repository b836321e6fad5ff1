"""`zerostem submit`: put a file into the daemon's spool, and wait for its stems if asked to."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.commands import wanted
from engine.commands.progress import bar
from host_bridge.arguments import Parser
from host_bridge.errors import BadRequest
from host_bridge.forms import RequestFile, Source
from host_bridge.messages import one_line
from host_bridge.rules import LONGEST_TITLE
from host_bridge.text import print_json, printable
from host_bridge.vocabulary import Samples


def parser() -> Parser:
    """Those of `separate`, and how to wait."""
    made = Parser("zerostem submit", description="Give the daemon a file, and the sounds to take out of it.")
    made.add_argument("file", type=Path, metavar="FILE", help="audio file; it is only read")
    made.add_argument(
        "-o", "--out", type=Path, help="an existing folder where the stems are added (default: only the job's own)"
    )
    made.add_argument("--wait", action="store_true", help="until the stems are there")
    made.add_argument("--json", action="store_true", help="print the job's id, and with --wait its folder and result")
    wanted.add_options(made)
    return made


def main(argv: list[str]) -> int:
    """Run `zerostem submit` with these arguments and return the exit code."""
    options = parser().parse_args(argv)
    request = _request(options)

    from engine.commands.following import followed
    from host_bridge.waking import awake

    with awake() as client:
        job = client.submit(request)
        told: dict[str, Any] = {"id": job}
        if options.wait:
            followed(client, job)
            told |= {"folder": str(client.spool.folder(job) / "stems"), "result": client.spool.result(job)}
    if options.json:
        print_json(told)
    else:
        print("\n".join([job, *map(printable, _lines(told))]))
    return 0


def _lines(told: dict[str, Any]) -> list[str]:
    if "result" not in told:
        return []
    return told["result"].get("delivered") or [f"{told['folder']}/{name}" for name in told["result"]["files"]]


def _request(options: argparse.Namespace) -> RequestFile:
    """The file's channels as the sources of one region. Raises BadAudio, BadRequest."""
    return replace(
        wanted.for_daemon(options),
        source=_sources(options.file, options.start, options.length),
        deliver=options.out.absolute() if options.out else None,
        name=one_line(printable(options.file.stem), LONGEST_TITLE),
        host="cli",
    )


def _sources(file: Path, start_s: float | None, length_s: float | None) -> tuple[Source, ...]:
    from host_bridge.sound import audio_file

    with bar(file.name) as progress:
        about = audio_file(file, progress)
    start = round((start_s or 0) * about.rate)
    if not 0 <= start < about.samples:
        raise BadRequest(
            f"A region cannot start at {start_s} s: {file.name} ends at {about.samples / about.rate:.3f} s.",
            "Start before its end.",
        )
    length = about.samples - start
    if length_s is not None:
        length = max(1, min(length, round(length_s * about.rate)))
    path = file.resolve()
    return tuple(Source(path, channel, Samples(start), Samples(length)) for channel in range(about.channels))
