"""Every error that may reach a person: one sentence saying what happened, one saying what to do."""


class ZeroStemError(Exception):
    """Base of all errors meant for users.

    `what` says what happened and `todo` what to do about it, one sentence each. `exit_code` is the command line's: 1 where
    the world stands in the way (a file, the disk, the device), 2 where the request itself is wrong.
    """

    exit_code = 1

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what} {todo}")
        self.what, self.todo = what, todo


class BadRequest(ZeroStemError):
    """The request cannot be meant as it is: an unknown model, an empty prompt, a strength of 7."""

    exit_code = 2


class BadAudio(ZeroStemError):
    """A file that is missing, is not audio, or holds samples that cannot be used."""


class BadModel(ZeroStemError):
    """Weights that are missing, incomplete or damaged, or a model that this machine cannot run."""


class CannotWrite(ZeroStemError):
    """The output cannot be written: no space, no permission, or a file there that is not ours."""


class Cancelled(Exception):
    """Raised by a progress callable once the user has said stop; nothing of the work is kept."""
