"""Speech for training: espeak-ng in many voices and languages, flite, and prompts that people recorded."""

import io
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.backbones.mel import RATE
from host_bridge.errors import ZeroStemError

LANGUAGES = tuple("en-us en-gb en-gb-scotland en-gb-x-rp de fr-fr es it pt nl sv pl".split())
VOICES = tuple("m1 m2 m3 m4 m5 m6 m7 f1 f2 f3 f4 f5".split())
FLITE_VOICES = ("kal16", "awb", "rms", "slt")
TEXTS = Path("/usr/share/common-licenses")
"""Any text will do, and every Debian has these."""

ASTERISK = Path("/usr/share/asterisk/sounds")
TUBERLING, LETTERS = Path("/usr/share/ktuberling/sounds"), Path("/usr/share/klettres")


@dataclass(frozen=True, slots=True)
class SpeechVoice:
    """A folder of short prompts that one person recorded, the Debian package they come in, and their licence."""

    folder: Path
    pattern: str
    package: str
    licence: str


def _one_per_language(root: Path, languages: str, package: str) -> tuple[SpeechVoice, ...]:
    return tuple(SpeechVoice(root / language, "**/*.o*", package, "GPL-2+") for language in languages.split())


PEOPLE = (
    SpeechVoice(ASTERISK / "en_US_f_Allison", "**/*.g722", "asterisk-core-sounds-en-g722", "CC-BY-SA-3.0"),
    SpeechVoice(ASTERISK / "es_MX_f_Allison", "**/*.g722", "asterisk-core-sounds-es-g722", "CC-BY-SA-3.0"),
    SpeechVoice(ASTERISK / "fr_CA_f_June", "**/*.g722", "asterisk-core-sounds-fr-g722", "CC-BY-SA-3.0"),
    SpeechVoice(ASTERISK / "it_IT_m_Carlo", "**/*.g722", "asterisk-core-sounds-it-g722", "CC-BY-3.0"),
    SpeechVoice(ASTERISK / "es", "*.gsm", "asterisk-prompt-es-co", "GPL-2"),
    *_one_per_language(TUBERLING, "ca da en gl lt nn sl uk wa", "ktuberling-data"),
    *_one_per_language(LETTERS, "cs da de en_GB es he hu it lt nds nl pt_BR tn uk ml", "klettres-data"),
)
"""Trained on."""

HELD_OUT = (
    SpeechVoice(ASTERISK / "ru_RU_f_IvrvoiceRU", "**/*.g722", "asterisk-core-sounds-ru-g722", "CC-BY-3.0"),
    SpeechVoice(ASTERISK / "it_IT_f_Menardi", "**/*.wav", "asterisk-prompt-it-menardi-wav", "CC-BY-SA-3.0"),
    *_one_per_language(TUBERLING, "el ru", "ktuberling-data"),
)
"""Never trained on, nor anyone else of KDE in Greek or Russian."""


@cache
def words() -> tuple[str, ...]:
    """Every word of the licence texts."""
    text = " ".join(file.read_text(errors="ignore") for file in sorted(TEXTS.glob("*"))[:12])
    return tuple(sorted(set(re.findall("[a-z]{2,12}", text.lower()))))


def sentences(rng: np.random.Generator) -> str:
    """Three sentences of random words."""
    return ". ".join(" ".join(rng.choice(words(), int(rng.integers(4, 13)))) for _ in range(3))


def _listen(command: Sequence[str], package: str, sound: bytes = b"") -> NDArray[np.float32]:
    """What a command prints as audio, folded to mono at 16 kHz."""
    try:
        printed = subprocess.run(command, input=sound, capture_output=True, check=True).stdout  # noqa: S603
    except FileNotFoundError as error:
        raise ZeroStemError(f"{command[0]} is not there.", f"Install it: apt-get install {package}.") from error
    samples, rate = soundfile.read(io.BytesIO(printed), dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(1), rate, RATE), dtype=np.float32)


def espeak(
    rng: np.random.Generator, seconds: float, languages: Sequence[str] = LANGUAGES, voices: Sequence[str] = VOICES
) -> list[NDArray[np.float32]]:
    """Synthetic speech in random voices, at least `seconds` in all."""
    takes: list[NDArray[np.float32]] = []
    while sum(map(len, takes)) < seconds * RATE:
        voice = f"{rng.choice(languages)}+{rng.choice(voices)}"
        speed, pitch, gap = rng.integers(120, 211), rng.integers(20, 81), rng.choice([0, 0, 2, 5])
        settings = ["-v", voice, "-s", str(speed), "-p", str(pitch), "-g", str(gap)]
        takes.append(_listen(["espeak-ng", *settings, "--stdout", sentences(rng)], "espeak-ng"))
    return takes


def flite(rng: np.random.Generator, seconds: float) -> list[NDArray[np.float32]]:
    """Synthetic speech of four American and Scottish voices built from recordings, at least `seconds` in all."""
    takes: list[NDArray[np.float32]] = []
    while sum(map(len, takes)) < seconds * RATE:
        voice, stretch = str(rng.choice(FLITE_VOICES)), f"duration_stretch={rng.uniform(0.8, 1.25):.2f}"
        command = ["flite", "-voice", voice, "--setf", stretch, "-t", sentences(rng), "-o", "/dev/stdout"]
        takes.append(_listen(command, "flite"))
    return takes


def prompts(rng: np.random.Generator, speaker: SpeechVoice) -> NDArray[np.float32]:
    """Everything that a person recorded, in random order. Raises ZeroStemError where the package is missing."""
    files = sorted(speaker.folder.glob(speaker.pattern))
    if not files:
        raise ZeroStemError(f"There are no prompts in {speaker.folder}.", f"Install them: apt-get install {speaker.package}.")
    shuffled = [files[i] for i in rng.permutation(len(files))]
    if (coding := shuffled[0].suffix[1:]) in ("g722", "gsm"):  # headerless: frames after frames, whichever file they are from
        joined = b"".join(file.read_bytes() for file in shuffled)
        return _listen(["ffmpeg", "-v", "error", "-f", coding, "-i", "-", "-f", "au", "-"], "ffmpeg", joined)
    sounds = [soundfile.read(file, dtype="float32", always_2d=True) for file in shuffled]
    return np.concatenate([soxr.resample(sound.mean(1), rate, RATE) for sound, rate in sounds]).astype(np.float32)
