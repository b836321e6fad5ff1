"""What a daemon that starts finds in the spool, whatever the one before it died of, and how it goes on."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from host_bridge.errors import BadRequest, BadSpool, ZeroStemError
from host_bridge.files import refusal
from host_bridge.forms import StateFile
from host_bridge.messages import Fail
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job, State


@dataclass(frozen=True, slots=True)
class Found:
    """A job as a daemon that starts finds it. rerender: it is done, but a stem is wanted at another strength."""

    state: StateFile
    rerender: bool = False
    trouble: str = ""
    """What was wrong with its files, for the log."""


def recover(spool: Spool) -> list[Found]:
    """What a daemon that starts has to do: half-written files are gone, and every state is one that may be gone on from.

    What was queued is queued, what was running is queued again, what is done, failed or cancelled stays so. A job whose
    files make no sense has failed, with the reason. Raises BadSpool where the spool itself cannot be read or written.
    """
    for entry in os.scandir(spool.root):
        if entry.name.startswith(".") and entry.name.endswith(".gone"):
            shutil.rmtree(entry, ignore_errors=True)
    return [_whatever_lies_there(spool, id_) for id_ in spool.ids()]


def _whatever_lies_there(spool: Spool, id: str) -> Found:
    """One job whose folder cannot be gone on with keeps no daemon from starting: it has failed."""
    try:
        return _recovered(spool, id)
    except (BadSpool, OSError) as error:
        told = error if isinstance(error, BadSpool) else refusal(spool.root / id, error, "read")
        return Found(_failed(StateFile(Job(id, "failed")), told), trouble=str(error))


def _recovered(spool: Spool, id: str) -> Found:
    folder = spool.folder(id)
    for entry in os.scandir(folder):
        if entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
            with suppress(OSError):  # one that is still open somewhere does no harm
                Path(entry).unlink(missing_ok=True)
    trouble = ""
    fresh = not os.path.lexists(folder / "state.json")
    try:
        before = spool.state(id)
    except BadSpool as error:  # a new one is written; the rest of the folder says what was
        before, trouble = StateFile(Job(id, "queued")), str(error)
    if before.job.state == "cancelled":
        spool.clear(id)
        return Found(before, trouble=trouble)
    try:
        done = spool.result(id) is not None
    except BadSpool as error:
        done, trouble = False, str(error)
    if done:
        after = before
        if before.job.state != "done":
            after = replace(before, job=replace(before.job, state="done", permille=1000, stage="done", eta_s=0))
            spool.record(after, "finish")
        return _done(spool, after, trouble)
    if before.job.state == "failed":
        return Found(before, trouble=trouble)
    try:
        spool.request(id)
    except (BadSpool, BadRequest) as error:
        after = _failed(before, error)
        spool.record(after, "fail")
        return Found(after, trouble=str(error))
    state: State = "cancelled" if spool.wants_cancel(id) else "queued"
    after = replace(before, job=Job(id, state), code=0, error="", todo="")
    if fresh or trouble or before.job.state != state:
        spool.record(after, "cancel" if state == "cancelled" else "submit" if fresh else "restart")
    if state == "cancelled":
        spool.clear(id)
    return Found(after, trouble=trouble)


def _failed(before: StateFile, error: ZeroStemError) -> StateFile:
    told = Fail.of(error)
    return replace(before, job=Job(before.job.id, "failed"), code=told.code, error=told.error, todo=told.todo)


def _done(spool: Spool, state: StateFile, trouble: str) -> Found:
    try:
        id_ = state.job.id
        return Found(state, spool.is_half_rendered(id_) or bool(spool.unsettled(id_)), trouble)
    except (BadSpool, BadRequest) as error:  # it is done whatever its other files say
        return Found(state, trouble=str(error))
