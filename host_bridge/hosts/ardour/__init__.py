"""Ardour: Lua actions in its menu, put into its file of actions, and a bell that the daemon rings by OSC."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from host_bridge.hosts.ardour import slots
from host_bridge.hosts.base import Edit, Facts
from host_bridge.hosts.build import build

SCRIPTS = {
    "separate.lua": "ZeroStem: separate by prompt...",
    "import.lua": "ZeroStem: import finished stems",
    "tidy.lua": "ZeroStem: remove empty stem tracks",
    "panel.lua": "ZeroStem: open panel",
    "bell.lua": "ZeroStem: bell",
}
"""In the order of the menu: each file beside this one that is an action, and what the menu calls it."""
BELL_SLOT = 32
"""Ardour's last: `LuaAction/script-32` is the action that the daemon rings (`engine.daemon.notify_host`)."""
VERSIONS = (9, 8, 7)


@dataclass(frozen=True, slots=True)
class Ardour:
    """As `base.Host` has it."""

    name: str = "ardour"
    title: str = "Ardour"
    processes: tuple[str, ...] = ("ardour",)
    port: int | None = 3819

    def folders(self, system: str, home: Path, environment: Mapping[str, str]) -> list[Path]:
        """One per version, the newest first."""
        if system == "win32":
            settings = Path(environment.get("LOCALAPPDATA") or home / "AppData/Local")
        elif system == "darwin":
            settings = home / "Library/Preferences"
        else:
            settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        name = "Ardour{}" if system == "darwin" else "ardour{}"
        return [settings / name.format(version) for version in VERSIONS]

    def files(self, facts: Facts) -> dict[PurePosixPath, bytes]:
        """The scripts, for those who put them on buttons of their own."""
        return {PurePosixPath("scripts", f"zerostem_{file}"): _built(file, facts) for file in SCRIPTS}

    def edits(self, facts: Facts) -> tuple[Edit, ...]:
        """Its file of actions: nobody need register a script by hand."""
        actions = [
            slots.Action(name, _built(file, facts), BELL_SLOT if file == "bell.lua" else None) for file, name in SCRIPTS.items()
        ]
        return (Edit(PurePosixPath("ui_scripts"), lambda told: slots.added(told, actions), slots.removed, slots.EMPTY),)

    def advice(self) -> tuple[str, ...]:
        """What no file can do."""
        return (
            "Select a region in Ardour, then choose Edit, Lua Scripts, ZeroStem: separate by prompt.",
            "Enable Open Sound Control (OSC) in Preferences, Control Surfaces, and stems that you do not wait for come in too.",
        )


HOST = Ardour()


def _built(file: str, facts: Facts) -> bytes:
    return build(Path(__file__).with_name(file), facts)
