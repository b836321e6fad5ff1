"""`zerostem audacity`: separate what is selected in the running Audacity, and put the stems below it as new tracks."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.commands import wanted
from host_bridge.arguments import Parser
from host_bridge.errors import BadRequest, BridgeError
from host_bridge.forms import Timeline


def parser() -> Parser:
    """Those of `separate`, and what becomes of the tracks they come from."""
    made = Parser("zerostem audacity", description="Take sounds out of what is selected in the running Audacity.")
    made.add_argument("--mute", action="store_true", help="mute the tracks that the stems come from")
    wanted.add_options(made)
    return made


def main(argv: list[str]) -> int:
    """Run `zerostem audacity` with these arguments and return the exit code."""
    options = parser().parse_args(argv)
    if options.start is not None or options.length is not None:
        raise BadRequest("The region is what is selected in Audacity.", "Select it there; leave --start and --length out.")
    request = wanted.for_daemon(options)

    from engine.commands.following import followed
    from host_bridge.hosts.audacity import project
    from host_bridge.hosts.audacity.pipe import Pipe
    from host_bridge.waking import awake

    with tempfile.TemporaryDirectory(prefix="zerostem-") as folder:
        region = Path(folder) / "region.wav"
        with Pipe() as pipe:  # not held while the engine works: others may want to talk to it
            chosen = project.selection(pipe)
            start, rate = project.export(pipe, chosen, region)
        name = chosen.tracks[0].name.strip()[:200]
        request = replace(request, region=Timeline(start, rate), name=name, host="audacity")
        with awake() as client:
            job = client.submit(request, region)
            followed(client, job)
            result = client.spool.result(job) or {}
            stems = client.spool.folder(job) / "stems"
    for stem in result["stems"]:
        if not stem["found"]:
            print(f"{stem['prompt']} is not there: no track for it.")
    try:
        with Pipe() as pipe:
            if options.mute:
                project.mute(pipe, chosen)
            for track in project.placed(pipe, chosen, list(_files(result)), start, rate):
                print(f"Track {track.index + 1}: {track.name}")
    except BridgeError as error:
        raise BridgeError(error.what, f"The stems lie in {stems}: import them with File, Import.") from error
    return 0


def _files(result: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every file of a result that is worth a track, and the track's name."""
    kinds = {"path": "", "generative": " (generative)", "highlight": " (highlight)"}
    for stem in result["stems"]:
        if stem["found"]:
            yield from ((Path(stem[kind]), stem["prompt"] + word) for kind, word in kinds.items() if stem[kind])
    if result["rest"]:
        yield Path(result["rest"]), "rest"
