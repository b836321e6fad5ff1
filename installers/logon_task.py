"""Windows: a task that starts the daemon at logon, and again when it fails. It cannot carry variables: they stay the user's."""

import os
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

from installers.system import Program, ServiceSystem

TASK = r"\ZeroStem\daemon"


def path() -> Path:
    """Where the task's description lies, which the scheduler copies."""
    local = os.environ.get("LOCALAPPDATA")
    return (Path(local) if local else Path.home() / "AppData" / "Local") / "zerostem" / "daemon-task.xml"


def text(program: Program) -> str:
    """The description, in the scheduler's XML, for the user who reads it in."""
    command, *arguments = program.words
    user = escape(os.environ.get("USERDOMAIN", ".") + "\\" + os.environ.get("USERNAME", ""))
    return f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>ZeroStem, which separates sounds for the DAWs on this machine</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger><UserId>{user}</UserId></LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="user">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>5</Count></RestartOnFailure>
  </Settings>
  <Actions Context="user">
    <Exec>
      <Command>{escape(command)}</Command>
      <Arguments>{escape(subprocess.list2cmdline(arguments))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


_RUN = ("schtasks", "/Run", "/TN", TASK)

SYSTEM = ServiceSystem(
    name="logon task",
    path=path,
    text=text,
    comment=("<!-- ", " -->"),
    encoding="utf-16",
    start=lambda path: (("schtasks", "/Create", "/TN", TASK, "/XML", str(path)), _RUN),  # no /F: never over a stranger's
    nudge=(_RUN,),
    leave=(("schtasks", "/End", "/TN", TASK), ("schtasks", "/Delete", "/TN", TASK, "/F")),
    gone=(),
    look=f"schtasks /Query /TN {TASK}",
)
