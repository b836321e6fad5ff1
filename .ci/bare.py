"""Run the README's two commands on a bare Debian 12: `python3 .ci/bare.py FOLDER`, as root, on Linux, in an empty folder.

A root file system with nothing but what the README asks for is made in FOLDER, a clone of this checkout is put into it, and an
ordinary user runs `make demo` and `make test` there. The machine's package index settings (pip's configuration and environment,
apt's sources and proxies, and the local files that they name) are carried in. Everything is mounted in a mount namespace of
this run alone, so that nothing is left mounted however it ends, and FOLDER can be removed like any other folder.

Exit code: that of the two commands; 75 where no such root can be made here, after one line that says why.
"""

import ast
import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urljoin, urlparse

ROOT = Path(__file__).resolve().parents[1]
SUITE = "bookworm"
PACKAGES = ("python3", "python3-venv", "make", "git", "ca-certificates")
"""The README's three, the Python that they are for, and certificates, which every desktop has."""
COMMANDS = ("make demo", "make test")
USER, HOME = "musician", "/srv/musician"
IMPOSSIBLE = 75

INDEX = (
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy", "constraint",
    "timeout", "default-timeout", "retries",
)  # fmt: skip
"""What of pip's settings says where packages come from."""
VARIABLES = (
    "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY",
    "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
)  # fmt: skip
"""What of the environment says how the network is reached."""
APT = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-Valid-Until", "Acquire::Check-Date")


def main(folder: Path) -> int:
    """Make it, fill it, and run the commands in it -> exit code."""
    if why := hindrance():
        return impossible(why)
    settings, variables, cache = of_pip()
    variables |= {name: os.environ[name] for name in VARIABLES if name in os.environ}
    began = time.monotonic()
    if why := debian(folder):
        return impossible(why)
    say(f"A bare Debian ({SUITE}) with {', '.join(PACKAGES)} was made in {time.monotonic() - began:.0f} s")
    furnish(folder, settings, cache)
    local = sorted({path for value in [*settings.values(), *variables.values()] for path in files_named(value)})
    began = time.monotonic()
    code = inside(folder, local, variables)
    say(f"`{'` and `'.join(COMMANDS)}` ended with exit code {code} after {time.monotonic() - began:.0f} s")
    return code


def hindrance() -> str:
    """Why no root file system can be made here, or "". mmdebstrap is installed where tests may install packages."""
    if sys.platform != "linux":
        return "this is not Linux"
    if os.geteuid() != 0:
        return "only root may change its root folder"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False).returncode:
        return "mounting is not allowed here"
    if not shutil.which("mmdebstrap") and shutil.which("apt-get") and os.environ.get("ZEROSTEM_TESTS_INSTALL") == "1":
        for words in (["update"], ["install", "-y", "--no-install-recommends", "mmdebstrap"]):
            command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *words]
            subprocess.run(command, capture_output=True, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    return "" if shutil.which("mmdebstrap") else "there is no mmdebstrap: apt-get install mmdebstrap"


def of_pip() -> tuple[dict[str, str], dict[str, str], Path | None]:
    """pip's index settings (section.key -> value), those of the environment, and the folder of its cache.

    They are asked of the pip in a new environment, as `make` makes one, which reads the machine's and the user's files.
    """
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [f"{place}/bin/python", "-m", "pip"]
        listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=True).stdout
        cache = subprocess.run([*pip, "cache", "dir"], capture_output=True, text=True, check=False).stdout.strip()
    settings = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if key in INDEX and section != ":env:":
            settings[name] = str(ast.literal_eval(value))
    names = {f"PIP_{key.upper().replace('-', '_')}" for key in INDEX}
    variables = {name: value for name, value in os.environ.items() if name in names}
    return settings, variables, Path(cache) if cache and Path(cache).is_dir() else None


def files_named(value: str) -> Iterator[Path]:
    """The local files and folders that a setting names, and the folders that the pages of a local index refer to."""
    for word in value.split():
        url = urlparse(word)
        path = Path(unquote(url.path) if url.scheme == "file" else word)
        if not path.is_absolute() or not path.exists() or path == Path("/"):
            continue
        yield path
        for page in path.glob("*/index.html") if path.is_dir() else ():
            for link in re.findall(r'href="([^"#]+)', page.read_text(encoding="utf-8", errors="replace")):
                target = urlparse(urljoin(page.as_uri(), link))
                if target.scheme == "file" and not (place := Path(unquote(target.path)).parent).is_relative_to(path):
                    yield place


def debian(folder: Path) -> str:
    """Make the root file system from the machine's own sources of Debian. Returns why that failed, or ""."""
    form = "$(CREATED_BY)|$(ORIGIN)|$(CODENAME)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    listed = subprocess.run(["apt-get", "indextargets", "--format", form], capture_output=True, text=True, check=False).stdout
    rows = [line.split("|") for line in listed.splitlines()]
    sources = [row[3] for row in rows if row[:2] == ["Packages", "Debian"] and row[2].startswith(SUITE)]
    how = subprocess.run(["apt-config", "dump", "--no-empty", *APT], capture_output=True, text=True, check=False).stdout
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as options:
        options.write(how)
        options.flush()
        command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}", "--quiet"]
        command += [f"--aptopt={options.name}", SUITE, str(folder), *sources]
        done = subprocess.run(in_namespace(command), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return f"mmdebstrap failed: {' '.join(done.stderr.split())[-300:]}" if done.returncode else ""


def furnish(folder: Path, settings: Mapping[str, str], cache: Path | None) -> None:
    """Put in a user, the machine's names of hosts, pip's settings and cache, and a clone of this checkout."""
    home = folder / HOME[1:]
    run("chroot", str(folder), "useradd", "--home-dir", HOME, "--create-home", "--shell", "/bin/sh", USER)
    for name in ("resolv.conf", "hosts"):
        if Path("/etc", name).exists():
            (folder / "etc" / name).unlink(missing_ok=True)
            shutil.copyfile(Path("/etc", name), folder / "etc" / name)
    written = configparser.RawConfigParser()
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        if not written.has_section(section):
            written.add_section(section)
        written.set(section, key, value)
    with (folder / "etc" / "pip.conf").open("w", encoding="utf-8") as file:
        written.write(file)
    (home / ".cache").mkdir()
    if cache:
        run("cp", "--recursive", "--reflink=auto", str(cache), str(home / ".cache" / "pip"))
    # Without hard links: they would give the checkout's own files to the user of the clone.
    run("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(home / "zerostem"))
    run("chroot", str(folder), "chown", "--recursive", f"{USER}:", HOME)


def inside(folder: Path, local: Sequence[Path], variables: Mapping[str, str]) -> int:
    """Run the commands as that user. local: files and folders of the machine that are there read-only. -> exit code."""
    mounts = ["mount --rbind /dev DIR/dev", "mount -t proc proc DIR/proc", "mount --rbind /sys DIR/sys"]
    quoted = shlex.quote(str(folder))
    steps = [mount.replace("DIR", quoted) for mount in mounts]
    for path in local:
        there = shlex.quote(f"{folder}{path}")
        made = f"mkdir -p {there}" if path.is_dir() else f"mkdir -p $(dirname {there}) && touch {there}"
        steps.append(f"{made} && mount --bind {shlex.quote(str(path))} {there} && mount -o remount,bind,ro {there}")
    clean = {"HOME": HOME, "USER": USER, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **variables}
    words = ["env", "-i", *(f"{name}={value}" for name, value in clean.items())]
    words += ["sh", "-euxc", "\n".join([f"cd {HOME}/zerostem", *COMMANDS])]
    steps.append(f"exec chroot --userspec={USER} {quoted} {shlex.join(words)}")
    return subprocess.run(in_namespace(["sh", "-euc", "\n".join(steps)]), check=False, stdin=subprocess.DEVNULL).returncode


def in_namespace(command: Sequence[str]) -> list[str]:
    """The command with mounts and processes of its own: when it ends, whatever it mounted or started ends with it."""
    return ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", *command]


def run(*words: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def say(text: str) -> None:
    """One line about this run, among those of the commands."""
    print(f"bare: {text}", flush=True)


def impossible(why: str) -> int:
    """Say in one line that there can be no such root here -> exit code."""
    say(f"No bare Debian can be made here ({why}).")
    return IMPOSSIBLE


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit((__doc__ or "").partition("\n")[0])
    sys.exit(main(Path(sys.argv[1]).resolve()))
