"""Linux: a systemd user unit, started at logon and again when the daemon fails, not when it was told to stop."""

import os
from pathlib import Path

from installers.system import Program, ServiceSystem, Words

UNIT = "zerostem.service"


def path() -> Path:
    """Where a user's own units lie."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "systemd" / "user" / UNIT


def text(program: Program) -> str:
    """The unit. It may write only where the user may; no rights are ever gained."""
    command = " ".join(quoted(word).replace("$", "$$") for word in program.words)  # $$: no variables in a command
    variables = "".join(f"Environment={quoted(f'{name}={value}')}\n" for name, value in program.variables.items())
    return f"""\
[Unit]
Description=ZeroStem, which separates sounds for the DAWs on this machine
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart={command}
{variables}Restart=on-failure
RestartSec=5
TimeoutStopSec=15
Nice=5
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def quoted(word: str) -> str:
    """A word as systemd.syntax(7) reads it back: C escapes, and %% for its specifiers."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    return f'"{escaped}"'


def _user(*words: str) -> Words:
    return ("systemctl", "--user", *words)


SYSTEM = ServiceSystem(
    name="systemd user unit",
    path=path,
    text=text,
    comment=("# ", ""),
    encoding="utf-8",
    start=lambda _path: (_user("daemon-reload"), _user("enable", "--now", UNIT)),
    nudge=(_user("enable", "--now", UNIT),),
    leave=(_user("disable", "--now", UNIT),),
    gone=(_user("daemon-reload"),),
    look=f"systemctl --user status {UNIT}",
)
