"""What the player renders reaches the sound card whole; where there is none, a sentence says so."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ui.background.sound_card import BLOCK_S, NoSound, Speaker, folding, outputs
from ui.models.mixing import ListeningMix
from ui.models.player import FADE_S, Player
from ui.models.reading import SoundFile

pytestmark = pytest.mark.process

RATE = 48_000
NOISE = np.random.default_rng(9).uniform(-0.5, 0.5, (2 * RATE, 2)).astype(np.float32)
FADE = round(RATE * FADE_S)


class Refusal(Exception):
    """What PortAudio raises."""


class Card:
    """A sound card that works, without a clock: `pump` makes it want frames. Stands in for the module sounddevice."""

    PortAudioError = Refusal
    rates: ClassVar[set[int]] = {RATE}
    channels: ClassVar[int] = 2
    stream: ClassVar["Card.OutputStream | None"] = None

    class default:  # noqa: N801 - sounddevice calls it so
        device = (-1, 1)

    class OutputStream:
        latency = 0.05

        def __init__(self, callback: Callable[..., None], **asked: Any) -> None:
            if asked["samplerate"] not in Card.rates:
                raise Refusal("Invalid sample rate [PaErrorCode -9997]")
            self.callback, self.asked, self.runs = callback, asked, False
            Card.stream = self

        def start(self) -> None:
            self.runs = True

        def close(self) -> None:
            self.runs = False

        def pump(self, frames: int, *, late: bool = False) -> NDArray[np.float32]:
            out = np.empty((frames, self.asked["channels"]), np.float32)
            self.callback(out, frames, None, type("Flags", (), {"output_underflow": late}))
            return out

    @classmethod
    def query_hostapis(cls) -> list[dict[str, Any]]:
        return [{"name": "Dummy"}]

    @classmethod
    def query_devices(cls) -> list[dict[str, Any]]:
        outs = {"Microphone": 0, "Card": cls.channels, "Other": 8}
        return [
            {"index": index, "name": name, "hostapi": 0, "max_output_channels": count, "default_samplerate": float(RATE)}
            for index, (name, count) in enumerate(outs.items())
        ]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> type[Card]:
    monkeypatch.setitem(sys.modules, "sounddevice", Card)
    monkeypatch.setattr(Card, "stream", None)
    return Card


def playing(path: Path, sound: NDArray[np.float32], rate: int = RATE) -> Player:
    soundfile.write(path, sound, rate, subtype="FLOAT")
    player = Player(ListeningMix(SoundFile(path)))
    player.play()
    return player


def stream() -> Card.OutputStream:
    assert Card.stream
    return Card.stream


def test_the_outputs_are_listed_and_the_systems_own_is_marked(card: type[Card]) -> None:
    assert [(each.name, each.channels, each.chosen) for each in outputs()] == [
        ("Card (Dummy)", 2, True),
        ("Other (Dummy)", 8, False),
    ]


def test_the_card_gets_what_the_player_renders(card: type[Card], tmp_path: Path) -> None:
    speaker = Speaker(playing(tmp_path / "a.wav", NOISE))
    speaker.start()
    speaker.start()
    assert stream().asked["samplerate"] == RATE
    heard = np.concatenate([stream().pump(960) for _ in range(20)])
    np.testing.assert_array_equal(heard[FADE:], NOISE[FADE : len(heard)])
    assert speaker.latency_s + BLOCK_S < 0.1
    speaker.close()
    assert not stream().runs
    speaker.close()


def test_another_output_is_taken_by_name_and_the_systems_own_where_it_is_gone(card: type[Card], tmp_path: Path) -> None:
    player = playing(tmp_path / "a.wav", NOISE)
    assert Speaker(player, "Other (Dummy)").output.index == 2
    assert Speaker(player, "Headphones (pulled out)").output.index == 1


def test_one_channel_is_heard_on_both_sides_and_six_are_shared_out(card: type[Card], tmp_path: Path) -> None:
    speaker = Speaker(playing(tmp_path / "mono.wav", NOISE[:, :1]))
    speaker.start()
    heard = stream().pump(2000)
    np.testing.assert_array_equal(heard[FADE:], np.repeat(NOISE[FADE:2000, :1], 2, 1))
    assert folding(6, 2).tolist() == [[np.float32(1 / 3), 0], [0, np.float32(1 / 3)]] * 3
    np.testing.assert_array_equal(folding(2, 2), np.eye(2))
    np.testing.assert_array_equal(folding(6, 8)[:, :6], np.eye(6))
    assert folding(2, 1).tolist() == [[0.5], [0.5]]


def test_a_rate_that_the_card_does_not_take_is_resampled(card: type[Card], tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100).astype(np.float32)
    speaker = Speaker(playing(tmp_path / "cd.wav", np.stack([tone, tone], 1), 44_100))
    speaker.start()
    assert stream().asked["samplerate"] == RATE
    heard = np.concatenate([stream().pump(960) for _ in range(45)])[-RATE // 2 :, 0]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert spectrum.argmax() == 500  # 1000 Hz in half a second
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(0.5**0.5, abs=0.01)


def test_a_card_that_refuses_is_said_in_words(card: type[Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Card, "rates", set())
    with pytest.raises(NoSound, match="cannot be used: Invalid sample rate"):
        Speaker(playing(tmp_path / "a.wav", NOISE)).start()


def test_a_file_that_is_taken_away_stops_the_player_and_not_the_card(card: type[Card], tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, NOISE, RATE, subtype="FLOAT")
    player = Player(ListeningMix(SoundFile(path, held=False)))
    player.play()
    speaker = Speaker(player)
    speaker.start()
    stream().pump(960)
    path.unlink()
    player.seek(RATE)
    assert not stream().pump(960).any()
    assert not player.playing
    assert speaker.trouble
    assert "does not exist" in speaker.trouble.what
    assert stream().runs


def test_it_counts_how_often_the_machine_was_too_slow(card: type[Card], tmp_path: Path) -> None:
    speaker = Speaker(playing(tmp_path / "a.wav", NOISE))
    speaker.start()
    stream().pump(960)
    stream().pump(960, late=True)
    assert speaker.gaps == 1


def test_without_a_sound_card_a_sentence_says_so(card: type[Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Card, "query_devices", classmethod(lambda cls: []))
    with pytest.raises(NoSound, match=r"no sound card\. You can still separate"):
        Speaker(playing(tmp_path / "a.wav", NOISE))


def test_without_portaudio_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(NoSound, match=r"no PortAudio.*libportaudio2"):
        outputs()


def test_without_sounddevice_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NoSound, match=r"pip install 'zerostem\[panel\]'"):
        outputs()


def test_importing_it_needs_no_sound_card() -> None:
    code = "import ui.background.sound_card, sys; print('sounddevice' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


# Real servers without hardware. PortAudio looks for them when it is loaded, so each is met by a process of its own.

PLAY = """
import json, sys, time
from pathlib import Path
from ui.models.mixing import ListeningMix
from ui.models.player import Player
from ui.models.reading import SoundFile
from ui.background.sound_card import Speaker, outputs
player = Player(ListeningMix(SoundFile(Path(sys.argv[1]))))
named = [each.name for each in outputs() if sys.argv[2] in each.name]
speaker = Speaker(player, named[0])
speaker.start()
time.sleep(0.3)
player.play()
start = time.monotonic()
while player.playing and time.monotonic() - start < 20:
    time.sleep(0.05)
took_s = time.monotonic() - start
time.sleep(0.5)
told = {"gaps": speaker.gaps, "latency_s": speaker.latency_s, "took_s": took_s, "trouble": str(speaker.trouble or "")}
speaker.close()
print(json.dumps(told))
"""


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="zs-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def played(path: Path, device: str, environment: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-c", PLAY, str(path), device]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if "IndexError" in done.stderr or "no sound card" in done.stderr:
        pytest.skip(f"PortAudio here does not know {device}")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture
def pulse(room: Path, need: Callable[..., None]) -> Iterator[dict[str, str]]:
    """A PulseAudio of our own whose only card is a null sink at 48 kHz; the environment that leads there."""
    need("pulse")
    socket = room / "native"
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(room),
        "PULSE_RUNTIME_PATH": str(room),
        "PULSE_SERVER": f"unix:{socket}",
        "HOME": str(room),
    }
    modules = (
        f"module-native-protocol-unix socket={socket} auth-anonymous=1",
        f"module-null-sink sink_name=dummy rate={RATE} format=float32le channels=2",
    )
    command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"]
    command += [word for module in modules for word in ("-L", module)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False).returncode:
            if server.poll() is not None or time.monotonic() > until:
                pytest.skip("pulseaudio does not start here")
            time.sleep(0.1)
        yield environment
    finally:
        server.terminate()
        server.wait(10)


def test_a_real_sound_server_hears_every_sample_in_its_place(
    pulse: dict[str, str], room: Path, in_time: Callable[[float, float], None]
) -> None:
    soundfile.write(room / "noise.wav", NOISE, RATE, subtype="FLOAT")
    heard, told = NOISE[:0], dict[str, Any]()
    for _attempt in range(3):  # a machine that is busy elsewhere may be late, and the server then leaves a gap
        with (room / "heard.raw").open("wb") as heard_file:
            command = ["parec", "-d", "dummy.monitor", "--format=float32le", f"--rate={RATE}", "--channels=2", "--raw"]
            command.append("--latency-msec=20")
            recorder = subprocess.Popen(command, env=pulse, stdout=heard_file, stderr=subprocess.DEVNULL)
            try:
                until = time.monotonic() + 10
                while not os.fstat(heard_file.fileno()).st_size and time.monotonic() < until:
                    time.sleep(0.05)
                told = played(room / "noise.wav", "pulse", pulse)
            finally:
                recorder.terminate()
                recorder.wait(10)
        heard = np.fromfile(room / "heard.raw", "<f4")
        heard = heard[: len(heard) // 2 * 2].reshape(-1, 2)
        wanted = NOISE[FADE : -FADE - 1]
        (places,) = np.nonzero((heard == wanted[0]).all(1))
        if len(places) and np.array_equal(heard[places[0] :][: len(wanted)], wanted):
            break
    else:
        pytest.fail(f"not heard as it was played: {told}, {len(heard)} frames heard")
    assert told["trouble"] == ""
    assert told["took_s"] > 1
    in_time(told["took_s"], 3)
    in_time(told["latency_s"] + BLOCK_S, 0.1)


@pytest.mark.needs("jack")
def test_a_jack_server_of_another_rate_plays_it_at_its_own(room: Path, in_time: Callable[[float, float], None]) -> None:
    name = f"zs{os.getpid()}"
    environment = os.environ | {"JACK_DEFAULT_SERVER": name, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
    command = ["jackd", "--no-realtime", "-n", name, "-d", "dummy", "-r", str(RATE), "-p", "1024"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while subprocess.run(["jack_lsp"], env=environment, capture_output=True, check=False).returncode:
            if server.poll() is not None or time.monotonic() > until:
                pytest.skip("jackd does not start here")
            time.sleep(0.1)
        soundfile.write(room / "cd.wav", NOISE[:44_100], 44_100, subtype="FLOAT")
        told = played(room / "cd.wav", "JACK", environment)
    finally:
        server.terminate()
        server.wait(10)
    assert told["trouble"] == ""
    assert told["took_s"] > 0.4
    in_time(told["took_s"], 1.6)
