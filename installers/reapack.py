"""What is put onto the web for ReaPack, REAPER's package manager: the scripts, and the index.xml that lists them.

ReaPack brings scripts and no more. They find an installed ZeroStem at its usual place, and say so where there is none.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

from host_bridge.arguments import Parser
from host_bridge.cli import safely
from host_bridge.hosts import load
from host_bridge.hosts.build import USUAL

CATEGORY = "ZeroStem"
"""ReaPack's folder for them, and the one on the web."""


def scripts() -> dict[str, bytes]:
    """The scripts by their names."""
    return {path.name: data for path, data in load("reaper").files(USUAL).items() if path.suffix == ".lua"}


def index(names: Mapping[str, str], url: str, when: datetime) -> bytes:
    """The list, one package per script. names: what REAPER shows, by file name. url: of the folder that holds CATEGORY."""
    root = ET.Element("index", version="1", name="ZeroStem")
    category = ET.SubElement(root, "category", name=CATEGORY)
    for name, shown in sorted(names.items()):
        package = ET.SubElement(category, "reapack", name=name, type="script", desc=shown)
        told = {"name": version("zerostem"), "author": "ZeroStem", "time": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        source = ET.SubElement(ET.SubElement(package, "version", told), "source", main="main", platform="all")
        source.text = f"{url.rstrip('/')}/{CATEGORY}/{quote(name)}"
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def publish(folder: Path, url: str, when: datetime) -> list[Path]:
    """Write index.xml and the scripts as they are to lie at `url`. Returns what was written."""
    made = {folder / CATEGORY / name: data for name, data in scripts().items()}
    titles = {path.name: data.partition(b"\n")[0].decode().removeprefix("-- ") for path, data in made.items()}
    made[folder / "index.xml"] = index(titles, url, when)
    for path, data in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return list(made)


def main(words: list[str]) -> int:
    """`python -m installers.reapack FOLDER --url URL`."""
    made = Parser("python -m installers.reapack", description=__doc__)
    made.add_argument("folder", type=Path, help="where to write them")
    made.add_argument("--url", required=True, help="where that folder will be found on the web")
    options = made.parse_args(words)
    sys.stdout.writelines(f"{path}\n" for path in publish(options.folder, options.url, datetime.now(UTC)))
    return 0


if __name__ == "__main__":
    sys.exit(safely(main, sys.argv[1:]))
