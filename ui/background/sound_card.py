"""The sound card: it asks the player for the next frames, and that is all it does.

PortAudio may be missing, and a machine may have no sound card: then `NoSound` says so in a line, and all the rest works.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from host_bridge.errors import ZeroStemError
from ui import texts
from ui.models.player import Player
from ui.models.reading import Frames

BLOCK_S = 0.02
"""What the card asks for at once."""
LATENCY_S = 0.06
"""How long what was asked for waits at most: with it a fader is heard in less than 100 ms, and a busy window leaves no gap."""


class NoSound(ZeroStemError):
    """Nothing can be played here, or not any more."""


@dataclass(frozen=True, slots=True)
class Output:
    """A sound card, or what stands for one. index: PortAudio's."""

    index: int
    name: str
    channels: int
    rate: int
    chosen: bool
    """The system's own choice."""


def outputs() -> list[Output]:
    """What can be played through. Raises NoSound where there is none."""
    with _spoken():
        device = _portaudio()
        hosts, chosen = device.query_hostapis(), device.default.device[1]
        found = [
            Output(
                each["index"],
                f"{each['name']} ({hosts[each['hostapi']]['name']})",
                each["max_output_channels"],
                round(each["default_samplerate"]),
                each["index"] == chosen,
            )
            for each in device.query_devices()
            if each["max_output_channels"] > 0
        ]
    if not found:
        raise NoSound(texts.NO_CARD, texts.NO_CARD_TODO)
    return found


class Speaker:
    """A player made audible. name: one of the outputs'; where it is gone or none is named, the system's own choice.

    `trouble` says why it fell silent by itself, the last time that it did; `gaps` counts how often the machine was too slow.
    """

    def __init__(self, player: Player, name: str = "") -> None:
        self.player = player
        self.trouble: ZeroStemError | None = None
        self.gaps = 0
        found = outputs()
        self.output = next((each for each in found if each.name == name), None) or next(
            (each for each in found if each.chosen), found[0]
        )
        mix = player.scene.mix
        self._channels = min(self.output.channels, max(2, mix.channels))
        self._fold = folding(mix.channels, self._channels)
        self._pull = _Pull(player, mix.rate, mix.rate)
        self._stream: Any = None

    def start(self) -> None:
        """Let it be heard; again does no harm. At the file's own rate, else at the card's. Raises NoSound."""
        if self._stream is not None:
            return
        rate = self.player.scene.mix.rate
        with _spoken():
            device = _portaudio()
            try:
                self._stream = self._opened(device, rate)
            except device.PortAudioError:
                if rate == self.output.rate:
                    raise
                self._pull = _Pull(self.player, rate, self.output.rate)
                self._stream = self._opened(device, self.output.rate)
            self._stream.start()

    def close(self) -> None:
        """Let go of the card."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(_portaudio().PortAudioError):  # it was pulled out meanwhile
                stream.close()

    @property
    def latency_s(self) -> float:
        """How long a frame takes from the player to the card, as the system says."""
        return float(self._stream.latency) if self._stream is not None else 0.0

    def _opened(self, device: Any, rate: int) -> Any:
        return device.OutputStream(
            samplerate=rate,
            blocksize=round(rate * BLOCK_S),
            device=self.output.index,
            channels=self._channels,
            dtype="float32",
            latency=LATENCY_S,
            callback=self._fill,
        )

    def _fill(self, out: Frames, frames: int, _time: object, status: Any) -> None:
        """PortAudio's thread wants frames."""
        self.gaps += bool(status.output_underflow)
        try:
            out[:] = self._pull.take(frames) @ self._fold
        except ZeroStemError as error:  # a file was taken away while it was played
            self.trouble = error
            out[:] = 0


class _Pull:
    """Frames at the card's rate from a player at the file's."""

    def __init__(self, player: Player, rate: int, to: int) -> None:
        self._player, self._share = player, rate / to
        self._stream = None
        if rate != to:
            self._stream = soxr.ResampleStream(rate, to, player.scene.mix.channels, dtype="float32", quality="HQ")
        self._held = np.zeros((0, player.scene.mix.channels), np.float32)

    def take(self, frames: int) -> Frames:
        """The next (frames, channels)."""
        if self._stream is None:
            return self._player.render(frames)
        while len(self._held) < frames:
            wanted = int(np.ceil((frames - len(self._held)) * self._share)) + 1
            self._held = np.concatenate([self._held, self._stream.resample_chunk(self._player.render(wanted))])
        out, self._held = self._held[:frames], self._held[frames:]
        return out


def folding(channels: int, outputs: int) -> Frames:
    """(channels, outputs): which channel is heard where. One is heard everywhere; too many are shared out in turn, softer."""
    if channels == 1:
        return np.ones((1, outputs), np.float32)
    matrix = np.zeros((channels, outputs), np.float32)
    matrix[np.arange(channels), np.arange(channels) % outputs] = 1
    matrix /= np.maximum(matrix.sum(0), 1)
    return matrix


def _portaudio() -> Any:
    """sounddevice, loaded when it is needed. Raises NoSound where the system has no PortAudio."""
    try:
        import sounddevice
    except ImportError as error:
        raise NoSound(texts.NO_SOUNDDEVICE, texts.NO_SOUNDDEVICE_TODO) from error
    except OSError as error:
        raise NoSound(texts.NO_PORTAUDIO, texts.NO_PORTAUDIO_TODO) from error
    return sounddevice


@contextmanager
def _spoken() -> Iterator[None]:
    """PortAudio's errors as sentences."""
    portaudio_error = _portaudio().PortAudioError
    try:
        yield
    except portaudio_error as error:
        said = str(error.args[0] if error.args else error).rstrip(".")
        raise NoSound(texts.CARD_REFUSES.format(why=said), texts.CARD_REFUSES_TODO) from error
