"""The service, into the system and out of it again: twice without harm, and what comes out is just what went in."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from host_bridge.errors import ZeroStemError
from host_bridge.paths import places
from installers import launchd, logon_task, receipt, systemd
from installers.system import Program, ServiceSystem, Words

SYSTEMS = {"linux": systemd.SYSTEM, "darwin": launchd.SYSTEM, "win32": logon_task.SYSTEM}
"""By Python's name for the system."""

CARRIED = ("ZEROSTEM_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE")
"""Variables that say where things lie: the daemon is to find what this shell finds."""

Say = Callable[[str], None]
Run = Callable[[Words], None]


class CannotInstall(ZeroStemError):
    """The system refused, and everything is as it was."""


def here() -> ServiceSystem:
    """The row for this machine. Raises CannotInstall."""
    if sys.platform not in SYSTEMS:
        raise CannotInstall(
            f"Nobody has written down yet how {sys.platform} starts a program at logon.",
            "Have it run `zerostem daemon` by whatever means it has.",
        )
    return SYSTEMS[sys.platform]


def program(environment: Mapping[str, str] = os.environ) -> Program:
    """The daemon, by this very interpreter; -P, or a folder called `engine` where it starts could stand in its way."""
    python = Path(sys.executable)
    windowless = python.with_name("pythonw.exe")
    chosen = windowless if windowless.is_file() else python
    variables = {name: environment[name] for name in CARRIED if environment.get(name)}
    return Program((str(chosen), "-P", "-m", "host_bridge", "daemon"), variables, places().log)


def install(system: ServiceSystem, what: Program, run: Run, say: Say) -> None:
    """Write the file and have the system start it, now and at every logon; a file that is not ours is set aside.

    Raises CannotInstall, and then everything is as it was.
    """
    path = system.path()
    before = _read(path, system)
    paper = receipt.read(before or "")
    made = paper.folders_made if paper else len([folder for folder in path.parents if not folder.exists()])
    text = receipt.signed(system.text(what), system.comment, made)
    if text == before:
        try:
            _all(system.nudge, run)
        except CannotInstall:  # the system has forgotten it
            _all(system.start(path), run)
        say(f"Installed already, and running: {path}")
        return
    aside = None
    if before is not None and not (paper and paper.whole):
        aside = free(path, CHANGED if paper else STRANGER)
    if paper:
        _try(system.leave, run)
    try:
        _write(path, text, system, aside)
        if str(what.log) in text:  # launchd makes the file there, but not its folder
            what.log.mkdir(parents=True, exist_ok=True)
        _all(system.start(path), run)
    except (CannotInstall, OSError) as error:
        _try(system.leave, run)
        _take_away(path, 0 if before is not None else made)
        if aside and aside.exists():
            aside.rename(path)
        elif before is not None and not aside:
            path.write_bytes(before.encode(system.encoding))
        if paper:
            _try(system.start(path), run)
        if isinstance(error, OSError):
            refused = f"{error.filename or path} cannot be written: {error.strerror}."
            raise CannotInstall(refused, "Check the folder's permissions; everything is as it was.") from error
        raise
    if aside:
        back = "" if paper else ", and `zerostem uninstall service` brings it back"
        say(f"A file that is not as we write it was in the way; it is now {aside}{back}.")
    say(f"Written: {path}")
    say(f"The daemon starts at every logon, and has been started now. See it by `{system.look}`.")


def uninstall(system: ServiceSystem, run: Run, say: Say) -> None:
    """Stop the daemon and take away what `install` has added; a file that was changed since is kept under another name."""
    path = system.path()
    text = _read(path, system)
    paper = receipt.read(text or "")
    if paper is None:
        other = f" {path} is not ours, and stays." if text is not None else ""
        say(f"The service is not installed.{other}")
        return
    _try(system.leave, run)
    if not paper.whole:
        kept = free(path, CHANGED)
        path.rename(kept)
        say(f"The file had been changed since it was installed; it is kept as {kept}.")
    _take_away(path, paper.folders_made)
    stranger = path.with_name(path.name + STRANGER)
    if stranger.exists():
        stranger.rename(path)
        say(f"What had been set aside is back: {path}")
    _try(system.gone, run)
    say(f"Taken away: the service, and {path} of ours.")


def plan(system: ServiceSystem, what: Program) -> str:
    """What `install` would write and run, as text."""
    return (
        f"{system.name}, written to {system.path()}:\n\n{system.text(what)}\nthen run:\n{_shown(system.start(system.path()))}"
    )


def plan_back(system: ServiceSystem) -> str:
    """What `uninstall` would run and take away, as text."""
    paper = receipt.read(_read(system.path(), system) or "")
    if paper is None:
        return f"{system.name}: not installed at {system.path()}; nothing to do"
    folders = f", and {paper.folders_made} folders if they are empty" if paper.folders_made else ""
    return f"{system.name}; run:\n{_shown((*system.leave, *system.gone))}\nand take away {system.path()}{folders}"


def call(words: Words) -> None:
    """The seam to the system: run one command. Raises CannotInstall where it is missing or fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, errors="replace")  # noqa: S603 - ours
    except OSError as error:
        raise CannotInstall(
            f"`{words[0]}` cannot be run: {error.strerror}.",
            "Without it there is no service here; `zerostem daemon` runs the daemon until you close it.",
        ) from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise CannotInstall(
            f"`{subprocess.list2cmdline(words)}` failed: {said.rstrip('.')}.",
            "Everything is as it was; `zerostem daemon` runs the daemon until you close it.",
        )


STRANGER, CHANGED = ".before-zerostem", ".changed"
"""What a file's name ends in once it is set aside: another's, and ours with changes of the user's."""


def _shown(commands: Sequence[Words]) -> str:
    return "\n".join(f"  {subprocess.list2cmdline(words)}" for words in commands)


def _all(commands: Sequence[Words], run: Run) -> None:
    for words in commands:
        run(words)


def _try(commands: Sequence[Words], run: Run) -> None:
    for words in commands:
        with suppress(CannotInstall):
            run(words)


def _read(path: Path, system: ServiceSystem) -> str | None:
    """What lies there; None for nothing, "" for what is no text of this form."""
    try:
        return path.read_bytes().decode(system.encoding)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeError:
        return ""
    except OSError as error:
        raise CannotInstall(f"{path} cannot be read: {error.strerror}.", "Check what lies there, and move it away.") from error


def _write(path: Path, text: str, system: ServiceSystem, aside: Path | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if aside:
        path.rename(aside)
    path.write_bytes(text.encode(system.encoding))


def free(path: Path, ending: str) -> Path:
    """A name beside a file's own that nobody has."""
    name, number = path.name + ending, 1
    while os.path.lexists(path.with_name(name)):
        number += 1
        name = f"{path.name}{ending} ({number})"
    return path.with_name(name)


def _take_away(path: Path, folders_made: int) -> None:
    if path.exists():
        path.unlink()
    for folder in list(path.parents)[:folders_made]:
        with suppress(OSError):  # somebody else uses it by now
            folder.rmdir()
