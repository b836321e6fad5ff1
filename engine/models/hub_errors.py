"""What goes wrong on the way to the Hugging Face hub and back, in our own sentences."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from host_bridge.errors import BadModel, BadRequest, Cancelled, CannotWrite, ZeroStemError
from host_bridge.protocol.messages import one_line

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


@contextmanager
def hub_told(name: str, hub: str) -> Iterator[None]:
    """Turns whatever goes wrong inside into a ZeroStemError about the model of this name in this repository."""
    try:
        yield
    except (ZeroStemError, Cancelled):
        raise
    except Exception as error:  # the hub's and the network's classes are many, and change with its client
        raise _sentences(error, name, hub) from error


def _sentences(error: Exception, name: str, hub: str) -> ZeroStemError:
    from huggingface_hub import errors

    page = f"https://huggingface.co/{hub}"
    if isinstance(error, errors.GatedRepoError):
        what = f"{name} is gated: its owner gives it to those who have accepted its terms."
        return BadModel(what, f"Accept them at {page}, run `hf auth login`, and fetch again.")
    if isinstance(error, errors.RepositoryNotFoundError):
        return BadRequest(f"There is no {hub} on the hub that you may see.", f"Look at {page}, or run `hf auth login`.")
    if isinstance(error, errors.HFValidationError):
        return BadRequest(f"{hub} is no name that the hub could have.", "A name there is like cvssp/audioldm-s-full-v2.")
    said = one_line(str(error), 200).strip() or type(error).__name__
    if "Consistency check failed" in said:
        return BadModel(f"A file of {name} arrived cut short.", f"Fetch it again: `zerostem models fetch {name}`.")
    if isinstance(error, OSError) and error.errno in _DISK:
        return CannotWrite(f"{name} could not be written: {error.strerror}.", "Free some space, or set HF_HOME elsewhere.")
    what = f"{name} could not be fetched from the hub ({said})."
    return BadModel(what, "See whether you are online; what has arrived whole stays, so fetching goes on where it was.")
