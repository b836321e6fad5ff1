"""Plays the composer's takes with Freepats, recorded instruments in Gravis patches, through TiMidity++."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.backbones.mel import RATE
from engine.research.pocket_training.composer import PARTS, Note, take
from host_bridge.errors import ZeroStemError

CONFIGURATION, FOLDER = Path("/etc/timidity/freepats.cfg"), Path("/usr/share/midi/freepats/Tone_000")
TICKS_PER_S = 960
"""480 ticks to a quarter note at MIDI's default tempo of 120."""
DRUM_CHANNEL = 9


def there(source: str) -> list[int]:
    """The source's General MIDI programs for which Freepats has a patch."""
    return [program for program in PARTS[source].programs if [*FOLDER.glob(f"{program:03d}_*.pat")]]


def variable_length(value: int) -> bytes:
    """A number as MIDI files hold it: seven bits a byte, the highest bit set on all but the last."""
    low = [value & 127]
    while value := value >> 7:
        low.append(value & 127 | 128)
    return bytes(reversed(low))


def midi_file(notes: Sequence[Note], channel: int, program: int) -> bytes:
    """Notes as a standard MIDI file of one track."""
    moments = [(round(note.start_s * TICKS_PER_S), 0x90, note.pitch, note.velocity) for note in notes]
    moments += [(round((note.start_s + note.length_s) * TICKS_PER_S), 0x80, note.pitch, 0) for note in notes]
    track, at = bytes([0, 0xC0 | channel, program]), 0
    for tick, kind, pitch, velocity in sorted(moments):
        track += variable_length(tick - at) + bytes([kind | channel, pitch, velocity])
        at = tick
    track += bytes([0, 0xFF, 0x2F, 0])
    header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + (480).to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def render(rng: np.random.Generator, source: str, seconds: float) -> list[NDArray[np.float32]]:
    """Takes of one source, at least `seconds` in all; none where Freepats has no such instrument."""
    drums, takes, programs = source == "drums", list[NDArray[np.float32]](), there(source) if source != "drums" else [0]
    while programs and sum(map(len, takes)) < seconds * RATE:
        program = int(rng.choice(programs))
        notes = take(rng, PARTS[source], int(rng.integers(8, 33)))
        takes.append(_timidity(midi_file(notes, DRUM_CHANNEL if drums else 0, program)))
    return takes


def _timidity(midi: bytes) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        song, sound = Path(folder) / "take.mid", Path(folder) / "take.wav"
        song.write_bytes(midi)
        command = ["timidity", "-c", str(CONFIGURATION), "-s", str(RATE), "-OwM1", "-o", str(sound), str(song)]
        try:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        except FileNotFoundError as error:
            raise ZeroStemError("TiMidity++ is not there.", "Install it: apt-get install timidity freepats.") from error
        return np.asarray(soundfile.read(sound, dtype="float32", always_2d=True)[0].mean(1), dtype=np.float32)
