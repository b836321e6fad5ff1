"""ZeroStem for Python: arrays in, stems out; or a file in, stems in a folder out. Importing it loads no model and no torch."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine  # first: it sets what torch and ONNX Runtime read from the environment when they are loaded
from host_bridge.errors import BadAudio, BadModel, BadRequest, Cancelled, CannotWrite, ZeroStemError
from host_bridge.types import Progress, quietly

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.separation import Separator as FileSeparator

__all__ = [
    "BadAudio",
    "BadModel",
    "BadRequest",
    "Cancelled",
    "CannotWrite",
    "Separation",
    "Separator",
    "ZeroStemError",
    "separate",
]

_MOST_CHANNELS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """What came out of one separation.

    stems: for each prompt an array in the shape of the input, float32, at its rate. rest: the input less all stems, so that
    `sum(stems.values()) + rest` is the input but for the rounding of float32. found: False for a prompt whose sound is clearly
    not there; its stem is silent. sidecar: settings and measurements, with the keys that the README lists.
    """

    stems: "dict[str, NDArray[np.float32]]"
    rest: "NDArray[np.float32]"
    found: dict[str, bool]
    sidecar: dict[str, Any]


class Separator:
    """Separates arrays. A model is loaded when it is first needed and stays so; use one object for many arrays.

    >>> separator = Separator("pocket")
    >>> result = separator.separate(mix, 44_100, ["drums", "bass"])  # doctest: +SKIP
    >>> result.stems["drums"].shape == mix.shape  # doctest: +SKIP
    True
    """

    def __init__(self, model: str | None = None, device: str = "auto") -> None:
        """model: as `zerostem models list` names it; None: the embedded one that knows the prompts. device: auto, cpu, cuda,
        cuda:N or mps. Neither is looked up before the first separation.
        """
        self.model, self.device = model, device
        self._loaded: dict[str, FileSeparator] = {}

    def separate(
        self,
        audio: "NDArray[np.floating[Any]]",
        rate: int,
        prompts: str | Sequence[str],
        strength: float | Sequence[float] = 1.0,
        *,
        progress: Progress = quietly,
        **settings: Any,
    ) -> Separation:
        """Take the sounds that `prompts` name out of `audio`, which is only read.

        audio: (N,) or (N, channels), floating point, full scale at -1 and 1. rate: in hertz. strength: omega, 0 (the mix) to 1
        (the stem alone), for all prompts or one each. settings: method, mode, steps, depth, seed, complete, unlike and so on,
        as in the sidecar. progress: called with the share that is done, 0 to 1, and the stage; raise `Cancelled` in it to stop.
        Works through files in the system's folder for temporary ones, so memory holds the result alone.

        Raises BadRequest, BadAudio (for NaN among the samples), BadModel, CannotWrite, and whatever `progress` raises.
        """
        import soundfile

        from engine.choose_model import model_for
        from engine.request import Request
        from engine.separation import OutputOptions
        from engine.separation import Separator as FileSeparator

        sound = _checked(audio, rate)
        request = Request.of([prompts] if isinstance(prompts, str) else prompts, strength, **settings)
        model = model_for(self.model, request.prompts, request.method)
        if model not in self._loaded:
            self._loaded[model] = FileSeparator.load(model, self.device)
        with tempfile.TemporaryDirectory(prefix="zerostem-") as folder:
            place = Path(folder, "input.wav")
            subtype = "DOUBLE" if sound.dtype.itemsize > 4 else "FLOAT"
            try:
                soundfile.write(place, sound, rate, subtype, format="RF64")
            except (soundfile.LibsndfileError, OSError) as error:
                raise CannotWrite(f"{place} cannot be written: {error}.", "Free some space there, or set TMPDIR.") from error
            told = self._loaded[model].separate(place, request, OutputOptions(out=Path(folder, "out")), progress)
            stems = {stem["prompt"]: _read(stem["path"], sound) for stem in told["stems"]}
            rest = _read(told["rest"], sound)
        return Separation(stems, rest, {stem["prompt"]: bool(stem["found"]) for stem in told["stems"]}, told)


def _checked(audio: Any, rate: int) -> "NDArray[np.floating[Any]]":
    """The samples as an array. Raises BadRequest for what is no sound."""
    import numpy as np

    sound = np.asarray(audio)
    if sound.dtype.kind != "f":
        raise BadRequest(
            f"The samples are of type {sound.dtype}, not floating point.",
            "Scale them to -1 and 1, as soundfile.read gives them: divide 16-bit samples by 32768.",
        )
    if sound.ndim not in {1, 2}:
        raise BadRequest(f"The array has {sound.ndim} dimensions.", "Give (samples,) or (samples, channels).")
    if not sound.size:
        raise BadRequest("The array is empty.", "Give at least one sample.")
    if sound.ndim == 2 and sound.shape[1] > _MOST_CHANNELS:
        raise BadRequest(f"The array has {sound.shape[1]} channels.", "Give (samples, channels): transpose it.")
    if isinstance(rate, bool) or int(rate) != rate or not 0 < rate < 2**31:
        raise BadRequest(f"The rate {rate} is no number of samples per second.", "Give a positive whole number of hertz.")
    return sound.astype(np.float32, copy=False) if sound.dtype.itemsize < 4 else sound


def _read(path: str, like: "NDArray[Any]") -> "NDArray[np.float32]":
    """A stem in the shape of the input."""
    import numpy as np
    import soundfile

    sound: NDArray[np.float32] = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return sound.reshape(like.shape)


def separate(
    path: str | PathLike[str], prompts: str | Sequence[str], strength: float | Sequence[float] = 1.0, **options: Any
) -> dict[str, Any]:
    """Separate an audio file into files. Options, result and errors as of `engine.separation.separate`."""
    return engine.separate(path, prompts, strength, **options)
