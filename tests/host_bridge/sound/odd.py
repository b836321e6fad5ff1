"""Odd audio files, made byte by byte or by encoders, each with what must come of it: so many samples, or a sentence."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16_000
N = 4000
"""Samples of most files, in two channels."""
CUT = "{name} is cut off or damaged: its sound ends too soon. Copy or export it again."
EMPTY = "{name} holds no sound. Export it again from where it was made."
NO_AUDIO = "{name} is not audio that can be read, or its beginning is damaged. Convert it to WAV, FLAC, AIFF, OGG, MP3 or M4A."

Sound = NDArray[np.float64]
Case = Callable[[Path], "int | str"]
"""Writes a file; returns the samples that it holds, or the sentences with which it is refused."""

CASES: dict[str, Case] = {}
NOTED: set[str] = set()
"""Those of which it is said that something may be missing."""


def case(name: str, *, noted: bool = False) -> Callable[[Case], Case]:
    """Name a case after its file."""

    def keep(made: Case) -> Case:
        CASES[name] = made
        if noted:
            NOTED.add(name)
        return made

    return keep


def sound(samples: int = N, seed: int = 1) -> Sound:
    """(samples, 2): tones with a little noise."""
    time_s = np.arange(samples) / RATE
    noise = np.random.default_rng(seed).uniform(-0.02, 0.02, (samples, 2))
    return noise + 0.3 * np.sin(2 * np.pi * np.array([440, 660]) * time_s[:, None])


def s16(values: Sound, order: str = "<") -> bytes:
    """As 16 bits a sample."""
    return np.round(values * 32767).astype(f"{order}i2").tobytes()


def chunk(name: bytes, body: bytes, order: str = "<", said: int | None = None) -> bytes:
    """One of RIFF's or AIFF's chunks, padded, with any size in front."""
    size = len(body) if said is None else said
    return name + struct.pack(order + "I", size) + body + b"\0" * (len(body) % 2)


def fmt(tag: int = 1, channels: int = 2, rate: int = RATE, width: int = 4, bits: int = 16, order: str = "<") -> bytes:
    """A `fmt ` chunk."""
    return chunk(b"fmt ", struct.pack(order + "HHIIHH", tag, channels, rate, rate * width, width, bits), order)


def riff(*chunks: bytes, kind: bytes = b"RIFF", said: int | None = None, order: str = "<") -> bytes:
    """A whole WAV."""
    body = b"WAVE" + b"".join(chunks)
    return kind + struct.pack(order + "I", len(body) if said is None else said) + body


def encoded(
    path: Path,
    codec: str,
    container: str | None = None,
    samples: int = N,
    seed: int = 1,
    rate: int = RATE,
    options: Mapping[str, str] | None = None,
    coding: Mapping[str, str] | None = None,
    film: bool = False,
) -> int:
    """Write compressed sound; returns the number of packets."""
    packets = 0
    values = np.ascontiguousarray(sound(samples, seed).astype(np.float32).reshape(1, -1))
    with av.open(str(path), "w", format=container, options=dict(options or {})) as made:
        picture: Any = None
        if film:
            picture = made.add_stream("mpeg4", rate=10)
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
        track: Any = made.add_stream(codec, rate=rate, layout="stereo", options=dict(coding or {}))
        if film:
            for _ in range(10 * samples // rate + 1):
                made.mux(picture.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="rgb24")))
            made.mux(picture.encode())
        frame = av.AudioFrame.from_ndarray(values, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        pieces = av.AudioResampler(format=track.format, layout="stereo", rate=rate, frame_size=track.frame_size or 1024)
        for piece in [*pieces.resample(frame), *pieces.resample(None), None]:
            done = track.encode(piece)
            packets += len(done)
            made.mux(done)
    return packets


# WAV: sizes that are none.


def _sized(riff_size: int | None, data_size: int) -> Case:
    def write(path: Path) -> int:
        path.write_bytes(riff(fmt(), chunk(b"data", s16(sound()), said=data_size), said=riff_size))
        return N

    return write


for _name, _riff, _data in [
    ("ffmpeg-pipe.wav", 0xFFFFFFFF, 0xFFFFFFFF),
    ("sox-pipe.wav", 0x7FFFF024, 0x7FFFF000),
    ("largest-positive.wav", 0x7FFFFFFF, 0x7FFFFFFF - 36),
    ("largest-unsigned.wav", 0xFFFFFFFF, 0xFFFFFFFF - 36),
    ("arecord-pipe.wav", 0x80000024, 0x80000000),
    ("crashed-0.wav", 0, 0),
    ("crashed-8.wav", 8, 0),
    ("crashed-36.wav", 36, 0),
    ("crashed-all-ones.wav", 0xFFFFFFFF, 0),
    ("riff-of-8.wav", 8, 4 * N),
    ("riff-of-0.wav", 0, 4 * N),
]:
    CASES[_name] = _sized(_riff, _data)


@case("crashed-after-an-odd-list.wav")
def _(path: Path) -> int:
    path.write_bytes(riff(fmt(), chunk(b"LIST", b"INFOISFT\3\0\0\0abc"), chunk(b"data", s16(sound()), said=0), said=0))
    return N


@case("ends-within-a-sample.wav", noted=True)
def _(path: Path) -> int:
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound())[:-2], said=0x7FFFF000), said=0x7FFFF024))
    return N - 1


@case("empty.wav")
def _(path: Path) -> str:
    path.write_bytes(riff(fmt(), chunk(b"data", b"")))
    return EMPTY


@case("empty-with-a-list-behind.wav")
def _(path: Path) -> str:
    path.write_bytes(riff(fmt(), chunk(b"data", b""), chunk(b"LIST", b"INFOISFT\4\0\0\0abcd")))
    return EMPTY


@case("cut-off.wav")
def _(path: Path) -> str:
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound())))[: 2 * N])
    return CUT


@case("one-byte-less.wav")
def _(path: Path) -> str:
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound())))[:-1])
    return CUT


@case("three-bytes-too-many.wav")
def _(path: Path) -> int:
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound()))) + b"\0\0\0")
    return N


@case("header-behind-the-times.wav", noted=True)
def _(path: Path) -> int:
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound()), said=4 * 1000), said=36 + 4 * 1000))
    return 1000


# WAV: chunks.


@case("odd-list-without-padding.wav")
def _(path: Path) -> int:
    path.write_bytes(riff(fmt(), b"LIST\x11\0\0\0INFOISFT\5\0\0\0abcde", chunk(b"data", s16(sound()))))
    return N


@case("two-data-chunks.wav")
def _(path: Path) -> int:
    halves = s16(sound())[: 4 * 1500], s16(sound())[4 * 1500 :]
    path.write_bytes(riff(fmt(), chunk(b"data", halves[0]), chunk(b"LIST", b"INFO"), chunk(b"data", halves[1])))
    return N


@case("joined.wav")
def _(path: Path) -> int:
    path.write_bytes(2 * riff(fmt(), chunk(b"data", s16(sound()))))
    return 2 * N


@case("joined-of-two-formats.wav")
def _(path: Path) -> int:
    floats = riff(fmt(3, width=8, bits=32), chunk(b"data", sound().astype("<f4").tobytes()))
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound()))) + floats)
    return 2 * N


@case("joined-of-two-rates.wav", noted=True)
def _(path: Path) -> int:
    half = riff(fmt(rate=RATE // 2), chunk(b"data", s16(sound())))
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound()))) + half)
    return 3 * N


@case("24-in-32-that-contradicts-itself.wav")
def _(path: Path) -> str:
    path.write_bytes(riff(fmt(width=8, bits=24), chunk(b"data", (sound() * 2**31).astype("<i4").tobytes())))
    return (
        "{name} contradicts itself: its header names 24 bits a sample, and 8 bytes for the samples of 2 channels. "
        "Export it again from where it was made."
    )


@case("24-in-32-that-says-so.wav")
def _(path: Path) -> int:
    body = struct.pack("<HHIIHHHHI", 0xFFFE, 2, RATE, 8 * RATE, 8, 32, 22, 24, 3)
    body += b"\1\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    path.write_bytes(riff(chunk(b"fmt ", body), chunk(b"data", (sound() * 2**31).astype("<i4").tobytes())))
    return N


@case("no-channels.wav")
def _(path: Path) -> str:
    path.write_bytes(riff(fmt(channels=0), chunk(b"data", s16(sound()))))
    return "{name} contradicts itself: its header names 0 channels at 16000 Hz. Export it again from where it was made."


@case("big-endian.wav")
def _(path: Path) -> int:
    path.write_bytes(riff(fmt(order=">"), chunk(b"data", s16(sound(), ">"), ">"), kind=b"RIFX", order=">"))
    return N


def _rf64(said: int, kept: int | None = None) -> Case:
    def write(path: Path) -> int | str:
        sizes = chunk(b"ds64", struct.pack("<QQQI", 0, said, 0, 0))
        whole = riff(sizes, fmt(), chunk(b"data", s16(sound()), said=0xFFFFFFFF), kind=b"RF64", said=0xFFFFFFFF)
        path.write_bytes(whole[:kept])
        return N if kept is None else CUT

    return write


CASES |= {"right.rf64": _rf64(4 * N), "crashed.rf64": _rf64(0), "stream.rf64": _rf64(2**64 - 1), "cut.rf64": _rf64(4 * N, 9000)}


@case("ima-adpcm.wav")
def _(path: Path) -> int:
    encoded(path, "adpcm_ima_wav")
    data = bytearray(path.read_bytes())
    at = data.index(b"fact") + 8
    data[at : at + 4] = struct.pack("<I", N)  # encoders pad the last block; this one is told how long the sound was
    path.write_bytes(data)
    return N


@case("mp3-in-a.wav")
def _(path: Path) -> int:
    return encoded(path, "mp3", "wav") * 576


# Others without compression.


def _w64(said: int | None, kept: int | None = None) -> Case:
    def write(path: Path) -> int | str:
        soundfile.write(path, sound(), RATE, format="W64", subtype="PCM_16")
        data = bytearray(path.read_bytes())
        at = data.index(b"data") + 16
        data[at : at + 8] = data[at : at + 8] if said is None else struct.pack("<Q", said)
        path.write_bytes(data[:kept])
        return N if kept is None else CUT

    return write


CASES |= {"whole.w64": _w64(None), "crashed.w64": _w64(0), "stream.w64": _w64(2**64 - 1), "cut.w64": _w64(None, 9000)}


def _aiff(form: int | None, ssnd: int | None, kept: int | None = None) -> Case:
    def write(path: Path) -> int | str:
        common = chunk(b"COMM", struct.pack(">HIHHQ", 2, N, 16, 16383 + 13, RATE << 50), ">")
        body = b"AIFF" + common + chunk(b"SSND", bytes(8) + s16(sound(), ">"), ">", ssnd)
        path.write_bytes((b"FORM" + struct.pack(">I", len(body) if form is None else form) + body)[:kept])
        return N if kept is None else CUT

    return write


CASES |= {
    "whole.aiff": _aiff(None, None),
    "crashed.aiff": _aiff(0, 0),
    "sox-pipe.aiff": _aiff(0x7F000000, 0x7F000008),
    "cut.aiff": _aiff(None, None, 9000),
}


def _caf(said: int, kept: int | None = None) -> Case:
    def write(path: Path) -> int | str:
        described = struct.pack(">d4sIIIII", RATE, b"lpcm", 2, 4, 1, 2, 16)
        head = b"caff\0\1\0\0" + b"desc" + struct.pack(">Q", 32) + described
        path.write_bytes((head + b"data" + struct.pack(">Q", said) + bytes(4) + s16(sound()))[:kept])
        return N if kept is None else CUT

    return write


CASES |= {"whole.caf": _caf(4 + 4 * N), "stream.caf": _caf(2**64 - 1), "crashed.caf": _caf(0), "cut.caf": _caf(4 + 4 * N, 9000)}


@case("alac.caf")
def _(path: Path) -> int:
    soundfile.write(path, sound(), RATE, format="CAF", subtype="ALAC_16")
    return N


def _au(said: int, kept: int | None = None) -> Case:
    def write(path: Path) -> int | str:
        path.write_bytes((b".snd" + struct.pack(">5I", 24, said, 3, RATE, 2) + s16(sound(), ">"))[:kept])
        return N if kept is None else CUT

    return write


CASES |= {"whole.au": _au(4 * N), "stream.au": _au(0xFFFFFFFF), "cut.au": _au(4 * N, 9000)}


# MPEG audio and AAC.


def _bare_mp3(path: Path, samples: int = N, seed: int = 1) -> int:
    """With a variable bitrate and no header about it, as encoders write into pipes; returns the samples of its frames."""
    options, coding = {"write_xing": "0", "id3v2_version": "0"}, {"flags": "+qscale", "global_quality": "472"}
    return encoded(path, "mp3", "mp3", samples, seed, options=options, coding=coding) * 576


@case("with-xing.mp3")
def _(path: Path) -> int:
    encoded(path, "mp3")
    return N


@case("variable-bitrate-without-xing.mp3")
def _(path: Path) -> int:
    return _bare_mp3(path, 10 * N)


@case("behind-a-megabyte-of-id3.mp3")
def _(path: Path) -> int:
    encoded(path, "mp3", options={"id3v2_version": "0"})
    path.write_bytes(b"ID3\4\0\0" + bytes([0, 64, 0, 0]) + bytes(64 << 14) + path.read_bytes() + b"TAG" + bytes(125))
    return N


@case("behind-zeros.mp3")
def _(path: Path) -> int:
    encoded(path, "mp3", options={"id3v2_version": "0"})
    path.write_bytes(bytes(1000) + path.read_bytes())
    return N


def _joined(codec: str, ending: str, *, parts: tuple[int, ...] = (N, 3000, 5000)) -> Case:
    def write(path: Path) -> int:
        whole = b""
        for seed, samples in enumerate(parts):
            part = path.with_name(f"part-{seed}.{ending}")
            if codec == "vorbis":
                soundfile.write(part, sound(samples, seed), RATE, format="OGG", subtype="VORBIS")
            else:
                rate, container = 48_000 if codec == "libopus" else RATE, "ogg" if ending in {"oga", "opus"} else None
                encoded(part, codec, container, samples, seed, rate)
            whole += part.read_bytes()
            part.unlink()
        path.write_bytes(whole)
        return sum(parts)

    return write


CASES |= {
    "joined.mp3": _joined("mp3", "mp3"),
    "chained.ogg": _joined("vorbis", "ogg"),
    "chained.opus": _joined("libopus", "opus"),
    "chained-flac.oga": _joined("flac", "oga"),
    "joined.flac": _joined("flac", "flac"),
    "alone.opus": _joined("libopus", "opus", parts=(N,)),
    "alone.oga": _joined("flac", "oga", parts=(N,)),
}


@case("joined-without-xing.mp3")
def _(path: Path) -> int:
    samples = _bare_mp3(path)
    whole = path.read_bytes()
    encoded(path, "mp3", samples=3000)  # and one with its tags and header
    path.write_bytes(whole + path.read_bytes())
    return samples + 3000


@case("cut-off.mp3")
def _(path: Path) -> str:
    encoded(path, "mp3")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return CUT


@case("cut-off-without-xing.mp3", noted=True)
def _(path: Path) -> int:
    samples = _bare_mp3(path)
    path.write_bytes(path.read_bytes()[:-7])
    return samples - 576


@case("hole.mp3")
def _(path: Path) -> str:
    encoded(path, "mp3", samples=10 * N)
    data = bytearray(path.read_bytes())
    data[3000:6000] = bytes(3000)
    path.write_bytes(data)
    return CUT


@case("plain.aac")
def _(path: Path) -> int:
    return encoded(path, "aac", "adts") * 1024


@case("joined.aac")
def _(path: Path) -> int:
    packets = encoded(path, "aac", "adts")
    whole = path.read_bytes()
    packets += encoded(path, "aac", "adts", 3000, 2)
    path.write_bytes(whole + path.read_bytes())
    return packets * 1024


@case("cut-off.aac", noted=True)
def _(path: Path) -> int:
    packets = encoded(path, "aac", "adts")
    path.write_bytes(path.read_bytes()[:-3])
    return (packets - 1) * 1024


# Ogg and FLAC.


@case("cut-off.ogg")
def _(path: Path) -> str:
    soundfile.write(path, sound(), RATE, format="OGG", subtype="VORBIS")
    path.write_bytes(path.read_bytes()[:-1])
    return CUT


def _pages(data: bytes) -> list[bytes]:
    starts, at = [], 0
    while at < len(data):
        starts.append(at)
        at += 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
    return [data[begin:end] for begin, end in zip(starts, [*starts[1:], len(data)], strict=True)]


@case("a-page-missing.ogg")
def _(path: Path) -> str:
    soundfile.write(path, sound(20 * N), RATE, format="OGG", subtype="VORBIS")
    pages = _pages(path.read_bytes())
    path.write_bytes(b"".join(pages[:4] + pages[5:]))
    return CUT


@case("last-page-missing.opus", noted=True)
def _(path: Path) -> int:
    encoded(path, "libopus", "ogg", 48_000 * 3, rate=48_000)
    pages = _pages(path.read_bytes())
    path.write_bytes(b"".join(pages[:-1]))
    return int.from_bytes(pages[-2][6:14], "little") - int.from_bytes(pages[0][28 + 10 : 28 + 12], "little")


def _flac(total: int, kept: int | None = None) -> Case:
    def write(path: Path) -> int | str:
        soundfile.write(path, sound(10 * N), RATE, format="FLAC", subtype="PCM_16")
        data = bytearray(path.read_bytes())
        data[21] = data[21] & 0xF0 | total >> 32
        data[22:26] = struct.pack(">I", total & 0xFFFFFFFF)
        path.write_bytes(data[:kept])
        return 10 * N if kept is None and total <= 10 * N else CUT

    return write


CASES |= {
    "whole.flac": _flac(10 * N),
    "stream.flac": _flac(0),
    "promises-too-little.flac": _flac(N),
    "promises-too-much.flac": _flac(11 * N),
    "cut-off.flac": _flac(10 * N, 40_000),
}


@case("24-bit-behind-id3.flac")
def _(path: Path) -> int:
    soundfile.write(path, sound(), RATE, format="FLAC", subtype="PCM_24")
    path.write_bytes(b"ID3\4\0\0" + bytes([0, 0, 1, 0]) + bytes(128) + path.read_bytes())
    return N


# Containers, and endings that mislead.


@case("film.mp4")
def _(path: Path) -> int:
    encoded(path, "alac", "mp4", film=True)
    return N


@case("broadcast.ts")
def _(path: Path) -> int:
    return encoded(path, "mp2", "mpegts", samples=1152 * 4, rate=48_000) * 1152


@case("lossless.tta")
def _(path: Path) -> int:
    encoded(path, "tta")
    return N


@case("alac.m4a")
def _(path: Path) -> int:
    encoded(path, "alac", "ipod")
    return N


@case("m4a-called.wav")
def _(path: Path) -> int:
    encoded(path, "alac", "ipod")
    return N


@case("film-called.mp3")
def _(path: Path) -> int:
    encoded(path, "alac", "mp4", film=True)
    return N


@case("mp3-called.wav")
def _(path: Path) -> int:
    encoded(path, "mp3", "mp3")
    return N


@case("wav-called.m4a")
def _(path: Path) -> int:
    path.write_bytes(riff(fmt(), chunk(b"data", s16(sound()))))
    return N


@case("flac-called.ogg")
def _(path: Path) -> int:
    soundfile.write(path, sound(), RATE, format="FLAC")
    return N


@case("without-an-ending")
def _(path: Path) -> int:
    encoded(path, "mp3", "mp3")
    return N


@case("cut-off.m4a")
def _(path: Path) -> str:
    encoded(path, "alac", "ipod", 10 * N, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-100])
    return CUT


@case("cut-off.mka")
def _(path: Path) -> str:
    encoded(path, "flac", "matroska", 10 * N)
    path.write_bytes(path.read_bytes()[:-400])
    return CUT


@case("playlist.wav")
def _(path: Path) -> str:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n")
    return NO_AUDIO


@case("picture.mp3")
def _(path: Path) -> str:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(3000))
    return "{name} has no sound track. Name a file with sound."


@case("silent-film.mp4")
def _(path: Path) -> str:
    with av.open(str(path), "w") as made:
        picture: Any = made.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 32
        picture.pix_fmt = "yuv420p"
        made.mux(picture.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="rgb24")))
        made.mux(picture.encode())
    return "{name} has no sound track. Name a file with sound."
