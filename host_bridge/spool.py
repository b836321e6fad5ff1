"""The spool: one folder per job, which is the truth about it. SPOOL.md says what lies in one.

A folder renamed into the spool is queued, whoever does it and whether or not a daemon runs. `result.json` renamed into
place is the commit: a job that has one is done. Everything between is in `state.json`, and how it came there in the journal.
"""

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from host_bridge import atomic, forms
from host_bridge.errors import BadMessage, BadRequest, BadSpool, Code
from host_bridge.exchange import Event
from host_bridge.files import append_line, read_plain, refusal, settle, write_whole
from host_bridge.forms import RequestFile, StateFile
from host_bridge.rules import SETTINGS
from host_bridge.settings import places
from host_bridge.vocabulary import Job, Stem, is_id
from presets import LIBRARY, Preset, PresetError, load

PROGRESS_S = 0.2
"""At least so long between two looks at a job's progress: 5 a second."""
ASIDE = ".work"
"""In a job's folder: where its stems are made. In that of a job that is done, what a rendering that was killed has left."""
KEPT = {"request.json", "region.wav", "state.json", "journal.jsonl", "strengths.json", "cancel"}
"""What is left of a job that was cancelled or failed: enough to know what it was, and to try again."""


class Spool:
    """A folder of jobs. The daemon and its clients have one each on the same folder.

    clock: seconds, never going back; it spaces progress out.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.root, self._clock = root.absolute(), clock
        self._shown: dict[str, float] = {}

    def prepare(self) -> None:
        """Make the folder, for this user alone (0700), and try to write there. Raises BadSpool."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = self.root.lstat()
            if not stat.S_ISDIR(about.st_mode):
                raise BadSpool(f"{self.root} is not a folder.", "Choose another place for the spool.")
            if hasattr(os, "getuid") and about.st_uid != os.getuid():
                raise BadSpool(f"The spool {self.root} belongs to another user.", "Choose a folder of your own.")
            if os.name != "nt" and about.st_mode & 0o077:
                self.root.chmod(0o700)
        except OSError as error:
            raise refusal(self.root, error) from error
        write_whole(self.root / ".probe", b"")
        (self.root / ".probe").unlink(missing_ok=True)

    def folder(self, id: str) -> Path:
        """A job's folder. Raises BadSpool where there is none, or a link or a file instead of one."""
        if not is_id(id):
            raise BadSpool(f"{id!r} is no job's id.", "An id is 8 to 64 of a-z, 0-9 and -.")
        path = self.root / id
        try:
            if stat.S_ISDIR(path.lstat().st_mode):
                return path
        except FileNotFoundError as error:
            raise BadSpool(f"There is no job {id} in {self.root}.", "Put its folder there, then submit it.") from error
        except OSError as error:
            raise refusal(path, error, "read") from error
        raise BadSpool(f"{path} is not a folder.", "Put the job's own folder there, not a link.")

    def has(self, id: str) -> bool:
        """Whether the job's folder lies here."""
        try:
            return bool(self.folder(id))
        except BadSpool:
            return False

    def ids(self) -> list[str]:
        """The jobs, in the order in which they were asked for."""
        try:
            names = [entry.name for entry in os.scandir(self.root) if is_id(entry.name) and entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise refusal(self.root, error, "read") from error
        return self.in_order(names)

    def in_order(self, ids: Iterable[str]) -> list[str]:
        """These jobs in the order in which they were asked for."""
        return sorted(ids, key=lambda name: (self._asked_at(name), name))

    def _asked_at(self, id: str) -> int:
        try:
            return (self.root / id / "request.json").lstat().st_mtime_ns
        except OSError:
            return 0

    # What a host or a client does.

    def put(self, id: str, request: RequestFile, region: Path | None = None) -> Path:
        """Make a job's folder aside and rename it into the spool; region: copied there. The same id again is the same job.

        Raises BadRequest, BadSpool.
        """
        if not is_id(id):
            raise BadRequest(f"{id!r} is no job's id.", "An id is 8 to 64 of a-z, 0-9 and -.")
        if bool(region) == bool(request.source):
            raise BadRequest("A job has one region.", "Give either its audio or its source.")
        if self.has(id):
            return self.root / id
        data = forms.write_request(request)
        aside = self.root / f".{id}.{os.getpid()}.new"
        try:
            aside.mkdir(mode=0o700)
            if region is not None:
                shutil.copyfile(region, aside / ".region.wav")
                settle(aside / ".region.wav", aside / "region.wav")
            write_whole(aside / "request.json", data)
            atomic.rename(aside, self.root / id)
            atomic.sync_folder(self.root)
        except OSError as error:
            if self.has(id):  # somebody was quicker with the same job
                return self.root / id
            raise refusal(self.root / id, error) from error
        finally:
            if aside.exists():
                shutil.rmtree(aside)
        return self.root / id

    def drop_cancel(self, id: str) -> None:
        """Ask for the end of a job by a file alone: it works without a socket."""
        write_whole(self.folder(id) / "cancel", b"")

    # What anybody may read.

    def request(self, id: str) -> RequestFile:
        """What is asked, the preset's share filled in. Raises BadSpool, BadRequest."""
        path = self.folder(id) / "request.json"
        data = read_plain(path)
        if data is None:
            raise BadSpool(f"{path} is missing.", "Write it before the folder is renamed into the spool.")
        return _with_preset(forms.read_request(data))

    def state(self, id: str) -> StateFile:
        """How the job stands; queued where no daemon has written yet. Raises BadSpool."""
        data = read_plain(self.folder(id) / "state.json")
        if data is None:
            return StateFile(Job(id, "queued"))
        told = forms.read_state(data, f"{id}/state.json")
        if told.job.id != id:
            raise BadSpool(f"{id}/state.json is of another job, {told.job.id}.", "Submit the region again.")
        return told

    def result(self, id: str) -> dict[str, Any] | None:
        """The sidecar of a job that is done, None of one that is not. Raises BadSpool."""
        data = read_plain(self.folder(id) / "result.json")
        return None if data is None else forms.read_result(data, f"{id}/result.json")

    def wants_cancel(self, id: str) -> bool:
        """Whether somebody has put the file `cancel` there."""
        return os.path.lexists(self.folder(id) / "cancel")

    def strengths(self, id: str) -> dict[str, int]:
        """The strength that is wanted of each stem, in permille: the request's, unless changed since."""
        asked = {stem.prompt: round(1000 * stem.strength) for stem in self.request(id).stems}
        return asked | self._changed(id)

    def _changed(self, id: str) -> dict[str, int]:
        data = read_plain(self.folder(id) / "strengths.json")
        return forms.read_strengths(data, f"{id}/strengths.json") if data is not None else {}

    def unsettled(self, id: str) -> dict[str, int]:
        """Stems of a job that is done whose strength is wanted otherwise than it was rendered, with that strength."""
        result = self.result(id)
        rendered = {stem["prompt"]: round(1000 * stem["strength"]) for stem in result["stems"]} if result else {}
        return {stem: wanted for stem, wanted in self.strengths(id).items() if rendered.get(stem, wanted) != wanted}

    def is_half_rendered(self, id: str) -> bool:
        """Whether another rendering of a job that is done was killed: some of its stems may be newer than its result."""
        return (self.folder(id) / ASIDE).is_dir()

    def heartbeat(self) -> tuple[int, int] | None:
        """The daemon's pid and beat, None where none has been."""
        data = read_plain(self.root / "daemon.json")
        return None if data is None else forms.read_daemon(data)

    # What the daemon alone does.

    def record(self, state: StateFile, event: Event) -> None:
        """Journal a step of a job's life, then make it its state. Raises BadSpool."""
        folder, told = self.folder(state.job.id), forms.write_state(state)
        line = {"at": datetime.now(UTC).isoformat(), "pid": os.getpid(), "event": event, "state": state.job.state}
        line |= {"attempt": state.attempt} | (
            {"code": state.code, "error": state.error, "todo": state.todo} if state.code else {}
        )
        append_line(folder / "journal.jsonl", json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace"))
        write_whole(folder / "state.json", told)
        self._shown.pop(state.job.id, None)

    def show(self, state: StateFile) -> bool:
        """Let others see how far a job is, at most 5 times a second; returns whether it was time. Raises BadSpool."""
        now = self._clock()
        if now - self._shown.get(state.job.id, -PROGRESS_S) < PROGRESS_S:
            return False
        self._shown[state.job.id] = now
        write_whole(self.folder(state.job.id) / "state.json", forms.write_state(state), durable=False)
        return True

    def want_strength(self, id: str, stem: str, permille: int) -> None:
        """Keep the strength that is wanted of a stem from now on. Raises BadMessage where there is no such stem, BadSpool."""
        wanted = self.strengths(id)
        if stem not in wanted:
            todo = f"Its stems are {', '.join(wanted)}."
            raise BadMessage(f"Job {id} has no stem {stem}.", todo, Code.NO_SUCH_THING, "job/strength", id)
        write_whole(self.folder(id) / "strengths.json", forms.write_strengths({**self._changed(id), stem: permille}))

    def commit(self, id: str, sidecar: Mapping[str, Any]) -> None:
        """Make a job done: its sidecar becomes `result.json`, in one rename. Raises BadSpool."""
        data = forms.write_json(sidecar)
        forms.read_result(data, f"{id}/result.json")
        write_whole(self.folder(id) / "result.json", data)

    def clear(self, id: str, *, cancel: bool = False) -> None:
        """Keep nothing of a job's work. cancel: take back the file `cancel` too, before another try. Raises BadSpool."""
        folder = self.folder(id)
        try:
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if entry.name not in KEPT - ({"cancel"} if cancel else set())]
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    _remove_tree(Path(entry))
                else:
                    atomic.remove(Path(entry))  # the other thread's temporary file may just have got its name
            if not (folder / "request.json").exists() or self.request(id).source:
                atomic.remove(folder / "region.wav")  # cut from the source, and will be again
            atomic.sync_folder(folder)
        except BadRequest:  # what cannot be read names no source
            return
        except OSError as error:
            raise refusal(folder, error) from error

    def remove(self, id: str) -> None:
        """Take a job out of the spool, with everything of it. Raises BadSpool."""
        aside = self.root / f".{id}.gone"
        try:
            atomic.rename(self.folder(id), aside)
            shutil.rmtree(aside)
        except OSError as error:
            raise refusal(self.root / id, error) from error

    def beat(self, version: str, beat: int) -> None:
        """Show that the daemon lives. Raises BadSpool."""
        write_whole(self.root / "daemon.json", forms.write_daemon(version, os.getpid(), beat), durable=False)


def _with_preset(request: RequestFile) -> RequestFile:
    """The request with what its preset says and it does not. Raises BadRequest where there is no such preset."""
    if request.preset is None:
        return request
    own = places().config / "presets"
    try:
        preset = load(request.preset, own if (own / f"{request.preset}.toml").is_file() else LIBRARY)
    except PresetError as error:
        raise BadRequest(error.what, error.todo) from error
    own_strength = preset.strength if request.strength is None else request.strength
    named = tuple(replace(stem, strength=own_strength) if stem.prompt in request.unsaid else stem for stem in request.stems)
    stems = named or tuple(Stem(prompt, own_strength) for prompt in preset.prompts)
    return replace(request, stems=stems, unsaid=frozenset(), settings={**_settings(preset), **request.settings})


def _settings(preset: Preset) -> dict[str, Any]:
    told = {key: value for key, value in asdict(preset).items() if key in SETTINGS}
    return {key: value for key, value in told.items() if value is not None and value is not False and value != ""}


def _remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; what somebody else has taken away meanwhile is no trouble. Raises OSError."""

    def unless_gone(_act: object, _path: str, why: BaseException) -> None:
        if not isinstance(why, FileNotFoundError):
            raise why

    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=unless_gone)
    else:
        shutil.rmtree(folder, onerror=lambda act, path, why: unless_gone(act, path, why[1]))
