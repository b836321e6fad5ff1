"""The pages hold: no dead link, no command, option, module or file that does not exist, and decisions in one form."""

import ast
import re
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "bench/*.md",
        "engine/**/*.md",
        "host_bridge/**/*.md",
        "ui/**/*.md",
        "presets/**/*.md",
    )
    for page in ROOT.glob(pattern)
)
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
NAMES = ("engine", "host_bridge", "ui", "presets", "installers")  # `zerostem` calls its own Separator what it is

of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(page: Path) -> list[str]:
    """Lines of code blocks, and what stands between backticks elsewhere."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)
    words = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL))
    return [line.strip() for block in blocks for line in block.splitlines()] + words


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    return {
        re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    }


@of_each_page
def test_no_link_of_a_page_is_dead(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


@of_each_page
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    from host_bridge import cli

    wrong = []
    for line in code(page):
        for command in re.findall(r"(?:^|(?<=[&|;] )|(?<=bin/))zerostem ((?:[^#&|;]|(?<=\w)#)*)", line):
            words = command.split()
            if not words or not re.fullmatch(r"[a-z]+", words[0]):
                continue
            if words[0] not in cli.COMMANDS:
                wrong.append(command)
                continue
            options = {re.split(r"[=\[]", word)[0].rstrip(",.)`'") for word in words[1:] if re.match(r"--?[a-z]", word)}
            known = options_of(words[0], words[1] if len(words) > 1 else "")
            wrong += [f"{words[0]} {option}" for option in options if option not in known]
    assert not wrong


@cache
def options_of(command: str, second: str) -> frozenset[str]:
    """The options that `--help` of a command, and of its own second word, tells of."""
    from contextlib import redirect_stdout, suppress
    from io import StringIO

    from host_bridge import cli

    told = StringIO()
    for words in ([command, "--help"], [command, second, "--help"] if re.fullmatch(r"[a-z]+", second) else []):
        with redirect_stdout(told), suppress(SystemExit):
            if words:
                cli.main(words)
    return frozenset(re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", told.getvalue())) | {"--help", "-h"}


@of_each_page
def test_every_module_that_a_page_has_run_exists(page: Path) -> None:
    modules = {
        name
        for line in code(page)
        for name in re.findall(r"python3? (?:-P )?-m ((?:engine|host_bridge|ui|installers)[\w.]*)", line)
    }
    places = {name: ROOT / name.replace(".", "/") for name in modules}
    assert not [
        name for name, place in places.items() if not (place.with_suffix(".py").is_file() or (place / "__main__.py").is_file())
    ]


@of_each_page
def test_every_file_of_ours_that_a_page_names_by_its_path_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # tells of old places too
        return
    paths = {
        word
        for words in re.findall(r"`([^`\n]+)`", text(page))
        for word in re.findall(r"^(?:engine|host_bridge|ui|presets|installers|tests|docs|bench)/[\w./-]*\w/?$", words)
    }
    assert not [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem[:40])
def test_a_decision_has_a_date_a_status_a_decision_and_its_row_in_the_index(page: Path) -> None:
    assert re.match(rf"# {page.name[:4]}\. \S", text(page))
    assert re.search(r"^Date: \d{4}-\d\d-\d\d$", text(page), re.MULTILINE)
    assert {"## Status", "## Decision"} <= set(text(page).splitlines())
    assert f"]({page.name})" in text(ROOT / "docs" / "adr" / "README.md")


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_map_fits_on_150_lines() -> None:
    assert len(text(ROOT / "ARCHITECTURE.md").splitlines()) <= 150


def test_no_class_has_the_name_of_another_one() -> None:
    places = defaultdict(list)
    for name in NAMES:
        for file in sorted((ROOT / name).rglob("*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(file.relative_to(ROOT)))
    assert not {name: files for name, files in places.items() if len(files) > 1}


def test_at_most_eight_modules_lie_flat_in_the_engine_and_in_the_bridge() -> None:
    for name in ("engine", "host_bridge"):
        assert len([file for file in (ROOT / name).glob("*.py") if not file.name.startswith("__")]) <= 8


def test_every_tracked_page_is_looked_at() -> None:
    listing = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("this is no git checkout, so nobody knows which pages are ours")
    assert {ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()} <= {*PAGES}
