"""ZeroStem into a DAW's folder and out of it again: twice without harm, and what comes out is just what went in.

A record beside what was installed (`zerostem-installed.json`) lists files with their hashes, the folders that were made, and
which of the DAW's own files were changed. It travels with a portable DAW, and it knows files of ours that were edited since.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import psutil

from host_bridge import discovery
from host_bridge.hosts.base import Facts, Host
from host_bridge.paths import places
from installers import host_port, record, service
from installers.file_transaction import Step, move, put, take, take_away, take_away_folder
from installers.record import Record
from installers.service import CHANGED, STRANGER, CannotInstall, Say, free


def here() -> Facts:
    """The facts of this machine, as this installation has them. A script runs without the variables of this shell."""
    what = service.program()
    carried = () if sys.platform == "win32" else tuple(f"{name}={value}" for name, value in what.variables.items())
    where = places()
    return Facts((*(("/usr/bin/env", *carried) if carried else ()), *what.words[:-1]), where.spool, where.runtime)


def folders(host: Host, named: Path | None) -> list[Path]:
    """The folder that the user names, or all that are found of this DAW. Raises CannotInstall."""
    if named is not None:
        if not named.is_dir():
            raise CannotInstall(f"{named} is no folder.", f"Name the folder that holds {host.title}'s settings.")
        return [named.absolute()]
    usual = host.folders(sys.platform, Path.home(), os.environ)
    found = [folder for folder in usual if folder.is_dir()]
    if not found:
        looked = ", ".join(map(str, usual)) or f"no folder is known on {sys.platform}"
        raise CannotInstall(
            f"{host.title}'s settings were not found; looked for: {looked}.",
            f"Start {host.title} once, or name the folder: zerostem install {host.name} --path FOLDER.",
        )
    return found


def install(host: Host, named: Path | None, facts: Facts, say: Say, *, dry: bool = False) -> None:
    """Put files and edits into the DAW's folder, and its bell into our settings. Raises CannotInstall: all is as it was."""
    found = folders(host, named)
    steps = [step for folder in found for step in _inwards(host, folder, facts)]
    bells = [] if host.port is None else host_port.added(places().config, host.name, host.port)
    steps += bells
    _go(steps, say, dry, f"Nothing to do: what there is for {host.title} is in place in {', '.join(map(str, found))}")
    if not dry:
        if bells and discovery.found():
            say(f"The daemon that runs now tells {host.title} of finished jobs once it has been started again.")
        for number, sentence in enumerate(host.advice(), 1):
            say(f"{number}. {sentence}")


def uninstall(host: Host, named: Path | None, facts: Facts, say: Say, *, dry: bool = False) -> None:
    """Take out what `install` has added; what was changed since stays, under another name. Raises CannotInstall."""
    found = folders(host, named)
    steps = [step for folder in found for step in _outwards(host, folder, facts)]
    usual = host.folders(sys.platform, Path.home(), os.environ)
    if not any((folder / record.FILE).exists() for folder in usual if folder not in found):
        steps += host_port.taken(places().config, host.name)
    _go(steps, say, dry, f"Nothing of ZeroStem is installed in {', '.join(map(str, found))}")


def _go(steps: Sequence[Step], say: Say, dry: bool, nothing: str) -> None:
    if not steps:
        say(f"{nothing}.")
        return
    if not dry:
        take(steps)
    else:
        say("Nothing is changed yet; this would be:")
    for step in steps:
        say(step.told)


def _inwards(host: Host, folder: Path, facts: Facts) -> list[Step]:
    """What `install` does to one folder; nothing where all is in place."""
    before = record.read(folder)
    files = {str(path): data for path, data in host.files(facts).items()}
    aside, steps = dict(before.aside), []
    for name, data in files.items():
        path = folder / name
        here = record.hash_of(path)
        if here == record.hash_bytes(data):
            continue
        if here is not None and here != before.files.get(name):
            kept = free(path, CHANGED if name in before.files else STRANGER)
            steps.append(move(path, kept, "set aside:"))
            if name not in before.files:
                aside[name] = kept.relative_to(folder).as_posix()
        steps.append(put(path, data, "written:"))
    stale = {name: was for name, was in before.files.items() if name not in files}
    steps += [take_away(folder / name) for name, was in stale.items() if record.hash_of(folder / name) == was]
    made, changes = list(before.made), []
    for edit in host.edits(facts):
        path = folder / edit.path
        there = path.exists()
        old = record.read_bytes(path) if there else edit.missing
        if (new := edit.add(old)) != old:
            changes.append(put(path, new, "changed:" if there else "written:"))
            made += [] if there else [str(edit.path)]
    if changes:
        _refuse_while_it_runs(host)
    parents = {parent for name in (*files, *made) for parent in PurePosixPath(name).parents}
    missing = [str(parent) for parent in sorted(parents) if not (folder / parent).exists()]
    paper = Record(
        {name: record.hash_bytes(data) for name, data in files.items()},
        aside,
        tuple(dict.fromkeys([*before.folders, *missing])),
        tuple(dict.fromkeys(made)),
    )
    # The record first: what a power cut ends can still be taken out.
    first = [put(folder / record.FILE, paper.written(), "written:")] if paper != before else []
    return [*first, *steps, *changes]


def _outwards(host: Host, folder: Path, facts: Facts) -> list[Step]:
    """What `uninstall` does to one folder; nothing where nothing is in place."""
    before = record.read(folder)
    steps = []
    for name, was in before.files.items():
        path = folder / name
        here = record.hash_of(path)
        if here is None:
            continue
        steps.append(take_away(path) if here == was else move(path, free(path, CHANGED), "changed since, so kept:"))
    for name, kept in before.aside.items():
        if os.path.lexists(folder / kept):
            steps.append(move(folder / kept, folder / name, "brought back:"))
    changes = []
    for edit in host.edits(facts):
        path = folder / edit.path
        if not path.exists():
            continue
        old = record.read_bytes(path)
        new = edit.remove(old)
        if str(edit.path) in before.made and new == edit.missing:
            changes.append(take_away(path))
        elif new != old:
            changes.append(put(path, new, "changed back:"))
    if changes:
        _refuse_while_it_runs(host)
    if (folder / record.FILE).exists():
        steps.append(take_away(folder / record.FILE))
    return [*steps, *changes, *(take_away_folder(folder / name) for name in reversed(before.folders))]


def running(names: Iterable[str]) -> str | None:
    """The name of a process of that program, this user's, whatever version or ending follows; None where it does not run."""
    wanted = [name.lower() for name in names]
    me = psutil.Process().username()
    for process in psutil.process_iter(["name", "username"]):
        found = str(process.info["name"] or "")
        for name in wanted:
            goes_on = found.lower().removeprefix(name)[:1].isalpha()
            if found.lower().startswith(name) and not goes_on and process.info["username"] in {me, None}:
                return found
    return None


def _refuse_while_it_runs(host: Host) -> None:
    if found := running(host.processes):
        raise CannotInstall(
            f"{host.title} runs ({found}), and writes its settings anew when it ends.", "Close it, and do this again."
        )
