"""What tests want of the system: one row per need, how it is looked up, and the Debian package that brings it.

Run as a program it prints the packages that this machine lacks: `sudo apt-get install $(python tests/needs.py)`.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

INSTALL = "ZEROSTEM_TESTS_INSTALL"
"""Set to 1, tests may install packages (as root, on a system with apt-get); otherwise they never change the machine."""
FONTS_ELSEWHERE = ("System/Library/Fonts", "Windows/Fonts")
ALSA_PLUGINS = "alsa-lib/libasound_module_pcm_pulse.so"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing of the system's. package: Debian's, or "" where none brings it, and then `advice` says what to do."""

    what: str
    found: Callable[[], bool]
    package: str = ""
    advice: str = ""


def program(name: str, package: str, *, asked: str = "", says: str = "") -> Need:
    """A program on PATH. asked: an argument with which it must print a text that matches `says`, as its version."""

    def found() -> bool:
        path = shutil.which(name)
        if path is None or not asked:
            return path is not None
        try:
            done = subprocess.run([path, asked], capture_output=True, text=True, check=False, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return re.search(says, done.stdout + done.stderr) is not None

    return Need(name, found, package)


def library(soname: str, package: str) -> Need:
    """A shared library that can be loaded, with everything that it needs itself. Elsewhere than on Linux wheels bring it."""

    def found() -> bool:
        if sys.platform != "linux":
            return True
        try:
            ctypes.CDLL(soname)
        except OSError:
            return False
        return True

    return Need(soname, found, package)


def file(what: str, patterns: Iterable[str], package: str) -> Need:
    """A file below the root that matches one of these patterns (without the leading slash)."""
    return Need(what, lambda: any(next(Path("/").glob(pattern), None) is not None for pattern in patterns), package)


def _can_mount() -> bool:
    """Whether this user may mount a small file system in memory: tried, and taken away again."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as place:
        tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], capture_output=True, check=False)
        if tried.returncode == 0:
            subprocess.run(["umount", place], capture_output=True, check=True)
        return tried.returncode == 0


def _can_isolate() -> bool:
    """Whether this user may make a network namespace."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0


NEEDS = {
    need.what: need
    for need in (
        # REAPER has Lua 5.4 inside, and 5.3 before its version 7; Ardour has 5.3.
        program("lua5.4", "lua5.4", asked="-v", says=r"\bLua 5\.4\."),
        program("lua5.3", "lua5.3", asked="-v", says=r"\bLua 5\.3\."),
        program("luac5.4", "lua5.4", asked="-v", says=r"\bLua 5\.4\."),
        program("luacheck", "lua-check"),
        program("git", "git"),
        Need("network namespaces (unshare -rn)", _can_isolate, "util-linux"),
        program("systemd-analyze", "systemd"),
        # A screen that nobody sees, and the hands of a person before it.
        program("Xvfb", "xvfb"),
        program("xdotool", "xdotool"),
        # Real DAWs.
        program("ardour", "ardour"),
        program("ardour7-lua", "ardour"),
        program("audacity", "audacity"),
        # Sound servers, and PortAudio's ways to them.
        program("pulseaudio", "pulseaudio"),
        program("pactl", "pulseaudio-utils"),
        program("parec", "pulseaudio-utils"),
        program("jackd", "jackd2"),
        program("jack_lsp", "jackd2"),
        library("libportaudio.so.2", "libportaudio2"),
        file("ALSA's plugin for PulseAudio", [f"usr/lib/*/{ALSA_PLUGINS}", f"usr/lib/{ALSA_PLUGINS}"], "libasound2-plugins"),
        # Soundfonts and recordings.
        library("libfluidsynth.so.3", "libfluidsynth3"),
        file("the soundfont TimGM6mb", ["usr/share/sounds/sf2/TimGM6mb.sf2"], "timgm6mb-soundfont"),
        file("the samples of Sonic Pi", ["usr/share/sonic-pi/samples/*.flac"], "sonic-pi-samples"),
        # Qt without a screen: what libQt6Gui and libQt6Widgets name as needed, and letters to write with.
        library("libEGL.so.1", "libegl1"),
        library("libGL.so.1", "libgl1"),
        library("libX11.so.6", "libx11-6"),
        library("libdbus-1.so.3", "libdbus-1-3"),
        library("libfontconfig.so.1", "libfontconfig1"),
        library("libfreetype.so.6", "libfreetype6"),
        library("libglib-2.0.so.0", "libglib2.0-0"),
        library("libgthread-2.0.so.0", "libglib2.0-0"),
        library("libxkbcommon.so.0", "libxkbcommon0"),
        file("a font", ["usr/share/fonts/**/*.ttf", "usr/share/fonts/**/*.otf", *FONTS_ELSEWHERE], "fonts-dejavu-core"),
        # Qt on an X server: what its plug-in libqxcb.so names as needed.
        library("libX11-xcb.so.1", "libx11-xcb1"),
        library("libxcb.so.1", "libxcb1"),
        library("libxcb-cursor.so.0", "libxcb-cursor0"),
        library("libxcb-icccm.so.4", "libxcb-icccm4"),
        library("libxcb-image.so.0", "libxcb-image0"),
        library("libxcb-keysyms.so.1", "libxcb-keysyms1"),
        library("libxcb-randr.so.0", "libxcb-randr0"),
        library("libxcb-render.so.0", "libxcb-render0"),
        library("libxcb-render-util.so.0", "libxcb-render-util0"),
        library("libxcb-shape.so.0", "libxcb-shape0"),
        library("libxcb-shm.so.0", "libxcb-shm0"),
        library("libxcb-sync.so.1", "libxcb-sync1"),
        library("libxcb-util.so.1", "libxcb-util1"),
        library("libxcb-xfixes.so.0", "libxcb-xfixes0"),
        library("libxcb-xkb.so.1", "libxcb-xkb1"),
        library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
        Need("the right to mount a file system", _can_mount, advice="run it as root, where mounting is allowed"),
    )
}  # fmt: skip

SCREEN = ("Xvfb", "xdotool")
QT = (
    "libEGL.so.1", "libGL.so.1", "libX11.so.6", "libdbus-1.so.3", "libfontconfig.so.1", "libfreetype.so.6", "libglib-2.0.so.0",
    "libgthread-2.0.so.0", "libxkbcommon.so.0", "a font",
)  # fmt: skip
QT_ON_X = (
    "libX11-xcb.so.1", "libxcb.so.1", "libxcb-cursor.so.0", "libxcb-icccm.so.4", "libxcb-image.so.0", "libxcb-keysyms.so.1",
    "libxcb-randr.so.0", "libxcb-render.so.0", "libxcb-render-util.so.0", "libxcb-shape.so.0", "libxcb-shm.so.0",
    "libxcb-sync.so.1", "libxcb-util.so.1", "libxcb-xfixes.so.0", "libxcb-xkb.so.1", "libxkbcommon-x11.so.0",
)  # fmt: skip
PULSE = ("libportaudio.so.2", "pulseaudio", "pactl", "parec", "ALSA's plugin for PulseAudio")
JACK = ("libportaudio.so.2", "jackd", "jack_lsp")
GROUPS = {"screen": SCREEN, "qt": QT, "qt on x": QT_ON_X, "pulse": PULSE, "jack": JACK}
"""Names for what always goes together."""


def rows(names: Iterable[str]) -> list[Need]:
    """The rows of these needs and groups. Raises KeyError for a name that the table has not."""
    return [NEEDS[each] for name in names for each in GROUPS.get(name, (name,))]


_found: set[str] = set()


def missing(names: Iterable[str]) -> list[Need]:
    """Which of these needs and groups are not met. What was found once is not looked up again."""
    lacking = []
    for need in rows(names):
        if need.what not in _found:
            if need.found():
                _found.add(need.what)
            else:
                lacking.append(need)
    return lacking


def packages(lacking: Iterable[Need]) -> list[str]:
    """The Debian packages that bring these, each once."""
    return sorted({need.package for need in lacking if need.package})


def sentence(lacking: Iterable[Need]) -> str:
    """What is missing and what to do, for the reason of a skipped test."""
    lacking = list(lacking)
    advice = [f"apt-get install {' '.join(packages(lacking))}"] if packages(lacking) else []
    advice += [need.advice for need in lacking if need.advice]
    return f"this machine lacks {', '.join(need.what for need in lacking)}: {'; '.join(advice)}"


def may_install() -> bool:
    """Whether tests may change this machine: only if they were told so, as root, where apt-get is."""
    return (
        os.environ.get(INSTALL) == "1" and sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get") is not None
    )


@cache
def _index_renewed() -> None:
    _apt("update")


def install(wanted: Iterable[str]) -> None:
    """Have apt-get install these packages; one that fails is missing afterwards, as before."""
    if wanted := list(wanted):
        _index_renewed()
        _apt("install", "-y", "--no-install-recommends", *wanted)


def _apt(*words: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *words]
    subprocess.run(command, env=environment, check=False, capture_output=True, timeout=900)


if __name__ == "__main__":
    sys.stdout.write("".join(f"{package}\n" for package in packages(missing(NEEDS))))
