"""Every error that may reach a person: one sentence saying what happened, one saying what to do."""

from enum import IntEnum


class Code(IntEnum):
    """What a `fail` message says to a machine; the numbers are those that HTTP has made familiar."""

    MALFORMED = 400
    """The datagram or frame is no message: cut short, wrong types, values out of range."""
    NO_TOKEN = 401
    """It reads or writes, and its token is not the daemon's."""
    UNKNOWN_ADDRESS = 404
    """No message has this address."""
    WRONG_VERSION = 406
    """The address begins with another major version of the protocol."""
    NOT_NOW = 409
    """The job's state does not allow it: a cancel after the end, a retry of what is done."""
    NO_SUCH_THING = 410
    """There is no such job, stem, model or device."""
    TOO_LONG = 413
    """A frame longer than one may be."""
    BAD_AUDIO = 415
    """The audio file is missing, not audio or not usable."""
    BAD_REQUEST = 422
    """The request cannot be meant as it is."""
    BAD_MODEL = 424
    """The model is missing, incomplete, damaged, or too large for this machine."""
    TOO_MANY = 429
    """More listeners or connections than the daemon serves."""
    FAULT = 500
    """Something went wrong inside the engine; its log has the details."""
    DISK = 507
    """The disk or a folder's permissions stand in the way."""


class ZeroStemError(Exception):
    """Base of all errors meant for users.

    `what` says what happened and `todo` what to do about it, one sentence each. `exit_code` is the command line's: 1 where
    the world stands in the way (a file, the disk, the device), 2 where the request itself is wrong. `code` is the same for
    a `fail` message.
    """

    exit_code = 1
    code = Code.FAULT

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what} {todo}")
        self.what, self.todo = what, todo


class BadRequest(ZeroStemError):
    """The request cannot be meant as it is: an unknown model, an empty prompt, a strength of 7."""

    exit_code = 2
    code = Code.BAD_REQUEST


class BadAudio(ZeroStemError):
    """A file that is missing, is not audio, or holds samples that cannot be used."""

    code = Code.BAD_AUDIO


class BadModel(ZeroStemError):
    """Weights that are missing, incomplete or damaged, or a model that this machine cannot run."""

    code = Code.BAD_MODEL


class CannotWrite(ZeroStemError):
    """The output cannot be written: no space, no permission, or a file there that is not ours."""

    code = Code.DISK


class BridgeError(ZeroStemError):
    """Base of what can go wrong between a DAW, the engine and the panel; its subclasses say whose fault it is."""


class BadMessage(BridgeError):
    """The peer's fault: it is no message of ours, or this is not the time for it.

    `about` is the address it came to, without the root, and `id` what it named, as far as either could be read.
    """

    def __init__(self, what: str, todo: str, code: Code = Code.MALFORMED, about: str = "", id: str = "") -> None:
        super().__init__(what, todo)
        self.code, self.about, self.id = code, about, id


class IllegalStep(BridgeError):
    """Our own fault: a step that the table of a job's life does not have, a message that cannot be sent."""


class BadSpool(BridgeError):
    """The disk's fault: a job's folder that is missing, damaged, closed, or holds a link where a file should be."""

    code = Code.DISK


class Cancelled(Exception):
    """Raised by a progress callable once the user has said stop; nothing of the work is kept."""
