"""The transport: which frames come next. No sound card and no clock here, so every sample of it can be tested.

Whatever changes (the way one listens, a fader, a stem that was rendered anew, the place) is a cross-fade of `FADE_S` between
what was heard and what is to be heard, at the same position: nothing stops, nothing clicks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host_bridge.errors import BadAudio
from ui.models.mixing import ListeningMix
from ui.models.reading import Frames

FADE_S = 0.010
FALL_DB_PER_S = 20.0
"""How quickly a meter's peak comes down."""
RMS_S = 0.3
"""Over how long a meter's level is taken."""
QUIET_DB = -120.0

Loop = tuple[int, int]
"""First frame, and the frame behind the last."""


@dataclass(frozen=True, slots=True)
class Level:
    """One channel's meter. over: it has been above full scale since it was last cleared."""

    peak_db: float = QUIET_DB
    rms_db: float = QUIET_DB
    over: bool = False


@dataclass(frozen=True, slots=True)
class PlaybackState:
    """Something that is heard from a place on: all that the next frames depend on."""

    scene: ListeningMix
    position: int = 0
    playing: bool = False
    loop: Loop | None = None

    @property
    def fade(self) -> int:
        """Frames of a cross-fade; of a short loop at most half of it."""
        frames = max(1, round(self.scene.mix.rate * FADE_S))
        return frames if self.loop is None else max(1, min(frames, (self.loop[1] - self.loop[0]) // 2))

    def frames(self, count: int) -> Frames:
        """(count, channels) from here on."""
        if not self.playing:
            return np.zeros((count, self.scene.mix.channels), np.float32)
        return np.concatenate([self._stretch(start, length) for start, length in self._walk(count)])

    def after(self, count: int) -> "PlaybackState":
        """The same, `count` frames later. Behind the end it has stopped, and the next start is from the beginning."""
        if not self.playing:
            return self
        start, length = [*self._walk(count)][-1]
        position = start + length
        if self.loop and position == self.loop[1]:
            return replace(self, position=self.loop[0])
        ended = position >= self.scene.mix.frames
        return replace(self, position=0 if ended else position, playing=not ended)

    def _walk(self, count: int) -> Iterator[Loop]:
        """The stretches that make up the next frames: (start, length); one, unless a loop ends among them."""
        position = self.position
        while True:
            end = self.loop[1] if self.loop and position < self.loop[1] else position + count
            length = min(count, end - position)
            yield position, length
            count -= length
            if not count:
                return
            assert self.loop is not None
            position = self.loop[0]

    def _stretch(self, start: int, length: int) -> Frames:
        """Frames without a jump among them. Whatever ends does so in a fade: into the loop's beginning, or into silence."""
        out = self.scene.at(start, length)
        fade = self.fade
        if self.loop is None or start >= self.loop[1]:
            return out * self._falling(start, length, self.scene.mix.frames, fade)
        low, high = self.loop
        inside = np.arange(start, start + length)
        if low < fade:  # nothing comes before it that one could fade in: it comes out of silence instead
            rising = np.where(inside < low, 1, np.minimum((inside - low + 1) / (fade + 1), 1)).astype(np.float32)
            out *= rising[:, None] * self._falling(start, length, high, fade)
            return out
        falling = self._falling(start, length, high, fade)
        first = high - fade
        if start + length > first:
            begin = max(start, first)
            coming = self.scene.at(low - (high - begin), start + length - begin)
            at = begin - start
            out[at:] = out[at:] * falling[at:] + coming * (1 - falling[at:])
        return out

    @staticmethod
    def _falling(start: int, length: int, end: int, fade: int) -> NDArray[np.float32]:
        """(length, 1) factors that go down to 0 over the last `fade` frames before `end`."""
        left = end - np.arange(start, start + length)
        return np.clip(left / (fade + 1), 0, 1).astype(np.float32)[:, None]


class Player:
    """Something to listen to, and where one is in it. One thread renders, any other may turn the dials."""

    def __init__(self, scene: ListeningMix) -> None:
        self._now = PlaybackState(scene)
        self._wishes: dict[str, Any] = {}
        self._leaving: PlaybackState | None = None
        self._faded, self._fade = 0, 1
        self._levels = tuple(Level() for _ in range(scene.mix.channels))
        self._lock = Lock()

    # What is heard.

    def render(self, frames: int) -> Frames:
        """The next (frames, channels). Raises BadAudio where a file cannot be read any more, and stands still then."""
        self._begin()
        now, leaving, faded = self._now, self._leaving, self._faded
        try:
            out = now.frames(frames)
            if leaving is not None:
                count = min(frames, self._fade - faded)
                share = (np.arange(faded + 1, faded + count + 1, dtype=np.float32) / (self._fade + 1))[:, None]
                out[:count] = share * out[:count] + (1 - share) * leaving.frames(count)
                leaving, faded = leaving.after(count), faded + count
        except BadAudio:
            with self._lock:
                self._now, self._leaving = replace(now, playing=False), None
            raise
        with self._lock:
            self._now, self._faded = now.after(frames), faded
            self._leaving = leaving if faded < self._fade else None
            self._levels = tuple(self._measured(level, out[:, index]) for index, level in enumerate(self._levels))
        return out

    def _begin(self) -> None:
        """What is wanted begins, once the last change is through; what was wanted in between is never heard."""
        with self._lock:
            if not self._wishes or self._leaving is not None:
                return
            wanted, self._wishes = replace(self._now, **self._wishes), {}
            if wanted != self._now:
                self._leaving, self._now = self._now, wanted
                self._faded, self._fade = 0, max(1, round(wanted.scene.mix.rate * FADE_S))

    def _measured(self, level: Level, sound: NDArray[np.float32]) -> Level:
        took_s = len(sound) / self._now.scene.mix.rate
        peak = float(np.abs(sound).max(initial=0))
        keep = float(np.exp(-took_s / RMS_S))
        power = keep * 10 ** (level.rms_db / 10) + (1 - keep) * float(np.mean(sound**2, dtype=np.float64))
        return Level(max(_db(peak), level.peak_db - FALL_DB_PER_S * took_s, QUIET_DB), _db(power**0.5), level.over or peak > 1)

    # What may be turned.

    def show(self, scene: ListeningMix) -> None:
        """Listen to something else of the same rate and channels, or otherwise, from the same position on."""
        self._want(scene=scene)

    def play(self) -> None:
        """Go on from where it stands."""
        self._want(playing=True)

    def stop(self) -> None:
        """Stand still."""
        self._want(playing=False)

    def seek(self, position: int) -> None:
        """Go somewhere else, playing on if it plays."""
        self._want(position=min(max(position, 0), max(self.scene.mix.frames - 1, 0)))

    def loop(self, start: int | None, end: int | None = None) -> None:
        """Play a stretch again and again, once the position has come into it; None: no more."""
        low, high = max(start or 0, 0), min(end or 0, self.scene.mix.frames)
        self._want(loop=(low, high) if high - low >= 2 else None)

    def clear_overs(self) -> None:
        """Forget what was too loud."""
        with self._lock:
            self._levels = tuple(replace(level, over=False) for level in self._levels)

    def _want(self, **changes: Any) -> None:
        with self._lock:
            self._wishes |= changes

    def _stands(self, what: str) -> Any:
        """As it was asked for last, else as it is."""
        with self._lock:
            return self._wishes.get(what, getattr(self._now, what))

    # What there is.

    @property
    def scene(self) -> ListeningMix:
        """What is heard, or will be in a moment."""
        scene: ListeningMix = self._stands("scene")
        return scene

    @property
    def position(self) -> int:
        """The frame that comes next."""
        return int(self._stands("position"))

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return bool(self._stands("playing"))

    @property
    def levels(self) -> tuple[Level, ...]:
        """The meters, one per channel."""
        return self._levels


def _db(value: float) -> float:
    return max(QUIET_DB, 20 * float(np.log10(max(value, 1e-12))))
