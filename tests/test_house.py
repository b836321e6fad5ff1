"""What must stay true of the house as a whole: its names, its floors' doors, its pages and its commands."""

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ("zerostem", "engine", "host_bridge", "ui", "presets", "installers")
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/dependencies.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = [path for name in NAMES for path in sorted((ROOT / name).rglob("*.py"))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split())

MAKE = re.compile(r"^(?:\w+=\S+ )*make ([a-z][\w-]*)", re.MULTILINE)

the_wheel = pytest.mark.skipif("ZEROSTEM_TESTS_WHEEL" not in os.environ, reason="only `make wheel-test` has the wheel")


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_of_the_pages() -> list[str]:
    """What stands between backticks: whole blocks, and words in a line (which may break)."""
    text = "\n".join(map(page, PAGES))
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return blocks + re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", NAMES)
def test_each_of_our_names_belongs_to_our_distribution_alone(name: str) -> None:
    # An editable install lists no files, so there "ours" may also be nobody's; somebody else's it must never be.
    owners = importlib.metadata.packages_distributions().get(name, ["zerostem"])
    assert set(owners) == {"zerostem"}


@pytest.mark.parametrize("name", NAMES)
def test_each_of_our_names_is_imported_from_one_folder_only(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec
    assert spec.origin  # a folder without an __init__.py would be a namespace that others can add to
    assert spec.submodule_search_locations == [str(Path(spec.origin).parent)]


@the_wheel
@pytest.mark.parametrize("name", NAMES)
def test_what_is_tested_is_the_wheel_and_not_the_checkout(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec
    assert spec.origin
    assert not Path(spec.origin).is_relative_to(ROOT)
    assert importlib.metadata.packages_distributions()[name] == ["zerostem"]


@the_wheel
@pytest.mark.parametrize(
    "pattern",
    [
        "*/py.typed",
        "host_bridge/*/*.md",
        "host_bridge/lua/*.lua",
        "host_bridge/hosts/reaper/*.lua",
        "host_bridge/hosts/reaper/*.ReaperOSC",
        "host_bridge/hosts/ardour/*.lua",
        "installers/*.sh",
        "installers/*.ps1",
        "engine/backbones/pocket/*.safetensors",
        "engine/backbones/pocket/*.json",
        "presets/library/*.toml",
        "presets/demo/*.flac",
    ],
)
def test_the_wheel_holds_every_data_file_of_the_checkout(pattern: str) -> None:
    held = {str(file) for file in importlib.metadata.files("zerostem") or ()}
    wanted = {str(file.relative_to(ROOT)) for file in ROOT.glob(pattern)}
    assert wanted
    assert wanted <= held


def test_the_version_is_said_in_one_place_only() -> None:
    assert importlib.metadata.version("zerostem") == PROJECT["version"]
    assert f"## {PROJECT['version']}" in page("CHANGELOG.md") or "## Unreleased" in page("CHANGELOG.md")
    assert not [file for file in OURS if f'"{PROJECT["version"]}"' in file.read_text(encoding="utf-8")]


def test_the_first_line_of_every_file_says_what_it_is() -> None:
    first = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8").partition("\n")[0] for file in OURS}
    assert [name for name, line in first.items() if not re.match(r'"""\S.*\S', line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_of_our_packages_tells_type_checkers_that_it_is_typed(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec
    assert spec.origin
    assert Path(spec.origin).with_name("py.typed").is_file()


def test_every_make_target_of_the_pages_exists() -> None:
    told = {target for code in code_of_the_pages() for target in MAKE.findall(code)}
    assert {"demo", "test"} <= told <= TARGETS


def test_every_zerostem_command_of_the_pages_exists() -> None:
    from host_bridge import cli

    told = {word for code in code_of_the_pages() for word in re.findall(r"^zerostem ([a-z]\w*)", code, re.MULTILINE)}
    assert "separate" in told
    assert told <= set(cli.COMMANDS)


def test_every_file_that_the_pages_link_to_exists() -> None:
    told = [link for name in PAGES for link in re.findall(r"\]\(([^)#]+)\)", page(name)) if "://" not in link]
    assert not [link for link in told if not (ROOT / link).exists()]


def test_every_preset_of_the_readme_loads() -> None:
    from presets import load

    for name in re.findall(r"--preset (\w+)", page("README.md")):
        load(name)


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_the_page_of_dependencies_gives_the_reason_for_every_extra(extra: str) -> None:
    assert f"`{extra}`" in page("docs/dependencies.md")


@pytest.mark.parametrize("name", ["README.md", "docs/dependencies.md"])
def test_the_pages_tell_the_licences_of_the_code_the_panel_and_the_models(name: str) -> None:
    assert all(word in page(name) for word in ("MIT", "PyQt6", "GPL-3", "CC BY-NC-SA"))


def test_every_dependency_is_pinned_for_development_and_explained() -> None:
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    wanted = {plain(re.split(r"[<>=]", line)[0]) for line in lines}
    pinned = {plain(pin[1]) for pin in re.finditer(r"^([\w.-]+)==", page("constraints.txt"), re.MULTILINE)}
    assert wanted <= pinned
    explained = {plain(word) for word in re.findall(r"`([\w.-]+)`", page("docs/dependencies.md"))}
    assert wanted <= explained


def plain(package: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def test_importing_the_engine_does_not_import_torch() -> None:
    code = "import engine, sys; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_the_engine_offers_separate() -> None:
    from engine import separate

    assert callable(separate)


@pytest.mark.needs("git")
def test_no_tracked_text_holds_a_path_of_somebodys_machine_or_a_mark_of_unfinished_work() -> None:
    here = re.compile(r"/(?:home|Users|root|work)/\w|\b(?:TODO|FIXME|XXX)\b|^(?:<<<<<<<|>>>>>>>) ", re.MULTILINE)
    texts = {".py", ".md", ".toml", ".txt", ".yaml", ".json", ".lua"}
    files = [ROOT / line for line in tracked() if Path(line).suffix in texts or Path(line).name == "Makefile"]
    found = {str(file.relative_to(ROOT)) for file in files if here.search(file.read_text(encoding="utf-8"))}
    assert found <= {"tests/test_house.py"}


def tracked() -> list[str]:
    """The files of the checkout, those not yet added included; ignored ones are not."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so nobody knows which files are ours")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]
