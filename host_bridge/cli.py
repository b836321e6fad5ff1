"""The `zerostem` command: finds the room that a command names, and puts every failure into two sentences.

The one place that names upper floors, and only as text: a room is imported when it is called, so `--help` is immediate.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "separate": ("engine.commands.separate:main", "take named sounds out of audio files"),
    "suggest": ("engine.commands.suggest:main", "say which sounds are likely in a mix: prompts to ask it for"),
    "inbox": ("engine.commands.inbox:main", "watch a folder, and separate what is put into it"),
    "project": ("engine.commands.project:main", "separate a track of a closed REAPER project"),
    "demo": ("engine.commands.demo:main", "separate the mix that comes along, and show what came out"),
    "presets": ("engine.commands.presets:main", "list the presets and when to reach for each, your own included"),
    "models": ("engine.commands.models:main", "list models and what their licences allow; fetch, verify, find and remove them"),
    "bench": ("engine.commands.bench:main", "measure quality and speed on this machine"),
    "install": ("installers.commands:install", "start the daemon at logon, or put ZeroStem into a DAW"),
    "uninstall": ("installers.commands:uninstall", "take away what `install` has added"),
    "panel": ("ui.commands:panel", "open the window: drop a file in, name a sound, hear the stem"),
    "daemon": ("engine.commands.daemon:main", "serve DAWs, the panel and the command line"),
    "submit": ("engine.commands.submit:main", "give the daemon a file and the sounds to take out of it"),
    "watch": ("engine.commands.watch:main", "show how far the daemon's jobs are"),
    "cancel": ("engine.commands.cancel:main", "stop a job of the daemon's"),
    "ring": ("engine.commands.ring:main", "wake the daemon for a job that lies in its spool"),
    "strength": ("engine.commands.strength:main", "give a stem of a finished job another strength"),
    "deliver": ("engine.commands.deliver:main", "add a finished job's stems once more to the folder that it names"),
    "status": ("engine.commands.status:main", "how the daemon and its jobs stand, whether or not it runs"),
    "audacity": ("engine.commands.audacity:main", "separate what is selected in the running Audacity"),
    "rebuild": ("engine.commands.rebuild:main", "make a stem again from what its sidecar says"),
    "tidy": ("engine.commands.tidy:main", "take jobs that ended long ago out of the spool"),
    "stop": ("engine.commands.stop:main", "end the daemon"),
    "doctor": ("engine.commands.doctor:main", "report on this machine and installation, to paste into a bug report"),
}
"""For each command: the room's `main(argv) -> exit code`, and what it is for."""

STOPPED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped.

    argv None: the process is ours from its start, with the words that it was started with.
    """
    if argv is None:
        return safely(_run_in_own_process, sys.argv[1:])
    return safely(_run, argv)


def _run_in_own_process(words: list[str]) -> int:
    from host_bridge.environment import prepare_process

    prepare_process()
    return _dispatch(words)


def _run(words: list[str]) -> int:
    from host_bridge.environment import prepare

    prepare()
    return _dispatch(words)


def safely(act: "Callable[[list[str]], int]", words: list[str]) -> int:
    """Run `act` on a command line and return its exit code; whatever it raises becomes two sentences on stderr.

    What a stream cannot encode is escaped, and a stream that nobody reads any more is let go of without a word.
    """
    try:
        _prepare_streams()
        code = act(words)
        if sys.stdout is not None:  # as with pythonw
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the last net: a person gets a sentence, the log gets the traceback
        code = _told(error, words)
    _let_go_of_closed_streams()
    return code


def _told(error: BaseException, words: list[str]) -> int:
    """Say what went wrong; returns the exit code."""
    from host_bridge.errors import Cancelled, ZeroStemError
    from presets import PresetError

    if isinstance(error, SystemExit):  # argparse, after its --help
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, ZeroStemError | PresetError):
        return _complain(error.what, error.todo, getattr(error, "exit_code", 2))
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    if isinstance(error, Cancelled) or _is_interrupt(error):
        return _complain("Stopped.", "Nothing unfinished was kept.", STOPPED)
    if isinstance(error, OSError) and _is_full(error):
        return _complain(f"There is no space left{_at(error)}.", "Free some, or write to another disk.", 1)
    return _complain(logged(error, words), "Run `zerostem doctor` and report both.", 1)


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is a Ctrl-C, or what a library made of one that came while it was imported."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def _is_full(error: OSError) -> bool:
    import errno

    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def _prepare_streams() -> None:
    """Escape what the terminal's or the pipe's encoding has no character for, and let no Ctrl-C get lost in a finaliser."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    sys.unraisablehook = _unraisable


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """A Ctrl-C that came inside a finaliser or a callback of the import system is raised again where it can be caught."""
    import _thread

    if unraisable.exc_type is KeyboardInterrupt:
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(unraisable)


def _dispatch(words: list[str]) -> int:
    if not words:
        print(_help(), file=sys.stderr)
        return 2
    name, *rest = words
    if name in {"-h", "--help"}:
        print(_help())
        return 0
    if name == "--version":
        from importlib.metadata import version

        print(f"zerostem {version('zerostem')}")
        return 0
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        todo = f"Did you mean `zerostem {near[0]}`?" if near else "`zerostem --help` lists what there is."
        return _complain(f"There is no command '{name}'.", todo, 2)
    return room(name)(rest)


def room(name: str) -> "Callable[[list[str]], int]":
    """The `main` of a command, imported now."""
    import importlib

    module, function = COMMANDS[name][0].split(":")
    entry: Callable[[list[str]], int] = getattr(importlib.import_module(module), function)
    return entry


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {purpose}" for name, (_, purpose) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: zerostem COMMAND [...]",
            "",
            "Take any sound you can name out of a mix.",
            "",
            *lines,
            "",
            "zerostem COMMAND --help says more; zerostem --version says which this is.",
        ]
    )


def _complain(what: str, todo: str, code: int) -> int:
    from host_bridge.text import printable

    try:
        print(f"zerostem: {printable(f'{what} {todo}')}", file=sys.stderr)
    except OSError:  # nobody reads it
        return code
    return code


def _at(error: OSError) -> str:
    return f" for {error.filename}" if error.filename else ""


def _let_go_of_closed_streams() -> None:
    """Point streams that cannot be written to at nothing, or the interpreter would complain when it flushes them at exit."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def logged(error: BaseException, words: list[str]) -> str:
    """Write the traceback into the log folder; return the sentence that says where, or why not."""
    import shlex
    import traceback
    from datetime import UTC, datetime

    from host_bridge.settings import places

    what = f"Something went wrong inside ZeroStem: {type(error).__name__}"
    now = datetime.now(UTC)
    details = "".join(traceback.format_exception(error))
    try:
        file = places().log / f"error-{now:%Y%m%d-%H%M%S-%f}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = f"{now.isoformat()} zerostem {shlex.join(words)}\n{details}"
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as refusal:
        return f"{what}, {error} (and no log could be written: {refusal.strerror})."
    return f"{what}, with the details in {file}."
