"""`zerostem rebuild`: make stems again from what their sidecar says, and say whether they are the same bytes."""

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.request import Request
from host_bridge.arguments import Parser
from host_bridge.errors import BadAudio, BadRequest
from host_bridge.files import read_plain
from host_bridge.forms import read_result, settings_of
from host_bridge.text import print_json, printable

if TYPE_CHECKING:
    from engine.separation import Wish


def main(argv: list[str]) -> int:
    """Run `zerostem rebuild` with these arguments; 0 when everything came out the same, 1 when something did not."""
    made = Parser(
        "zerostem rebuild", description="Make the stems of a sidecar again, from the same file with the same settings."
    )
    made.add_argument("sidecar", type=Path, metavar="SIDECAR", help="the JSON beside the stems, or a job's result.json")
    made.add_argument("-o", "--out", type=Path, help='where to (default: "<name> rebuilt" here)')
    made.add_argument("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    made.add_argument("--json", action="store_true", help="print the new sidecar")
    options = made.parse_args(argv)
    told = _sidecar(options.sidecar)
    request = _request(told, options.sidecar)

    from engine.measure import sha256
    from engine.separation import Separator

    source = Path(told["input"]["path"])
    if not source.is_file():
        raise BadAudio(f"{source} is gone.", "Put the file back where it was when the stems were made.")
    if sha256(source) != told["input"]["sha256"]:
        raise BadAudio(f"{source.name} has changed since the stems were made.", "Put the old file back, or separate anew.")
    wish = _wish(told, options.sidecar, options.out)
    again = Separator.load(told["model"]["name"], options.device, _way(told)).separate(source, request, wish)
    same = {name: again["files"].get(name) == was for name, was in told["files"].items()}
    if options.json:
        print_json(again)
    else:
        print("\n".join(f"{'the same ' if equal else 'different'}  {name}" for name, equal in same.items()))
        print(f"in {printable(wish.out)}")
    if not all(same.values()) and (why := _reason(told, again)):
        print(why, file=sys.stderr)
    return 0 if all(same.values()) else 1


def _reason(told: dict[str, Any], again: dict[str, Any]) -> str:
    """Why they may differ, where it is known."""
    if told["model"].get("fingerprint") != again["model"]["fingerprint"]:
        return f"The files of the model {told['model']['name']} have changed since, or are not known to be the same."
    if told.get("algorithm") != again["algorithm"]:
        return "Another version of ZeroStem made the old ones. Keep them if you need them as they were."
    return ""


def _way(told: dict[str, Any]) -> str:
    """How the network ran, where this machine can do that too: another way rounds in another manner."""
    import torch

    from engine.execution.choice import AUTO
    from engine.execution.table import EXECUTIONS

    ran = told.get("plan", {}).get("execution")
    return ran if ran in EXECUTIONS and EXECUTIONS[ran].missing(torch.device(told["device"])) is None else AUTO


def _sidecar(path: Path) -> dict[str, Any]:
    data = read_plain(path)
    if data is None:
        raise BadRequest(f"{path} does not exist.", "Name the JSON file beside the stems.")
    return read_result(data, path.name)


def _request(told: dict[str, Any], path: Path) -> Request:
    known = {each.name for each in fields(Request)}  # the others are what to write, see `_wish`
    try:
        return Request.of(
            [stem["prompt"] for stem in told["stems"]],
            [stem["strength"] for stem in told["stems"]],
            **{key: value for key, value in settings_of(told).items() if key in known},
        )
    except KeyError as error:
        raise BadRequest(f"{path} does not say {error}.", "Separate anew: it was not made by this version.") from error


def _wish(told: dict[str, Any], sidecar: Path, out: Path | None) -> "Wish":
    from engine.delivery import names
    from engine.separation import Wish

    rate, region = told["input"]["rate"], told["region"]
    first, prompts = next(iter(told["files"])), [stem["prompt"] for stem in told["stems"]]
    every = names("x", prompts)
    ends = [name.removeprefix("x") for name in (*every.highlights, *every.generative, *every.stems, every.rest)]
    name = next((first.removesuffix(end) for end in ends if first.endswith(end)), sidecar.stem)
    return Wish(
        out or Path.cwd() / f"{name} rebuilt",
        name,
        region["start"] / rate,
        region["length"] / rate,
        stems=any(stem["path"] for stem in told["stems"]),
        rest=told["rest"] is not None,
        gain_db=told["gain_db"],
    )
