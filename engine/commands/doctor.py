"""`zerostem doctor`: a report on this machine and installation, to read or to paste into a bug report."""

from engine import doctor
from host_bridge.arguments import Parser
from host_bridge.text import print_json


def main(argv: list[str]) -> int:
    """Run `zerostem doctor` with these arguments and return the exit code: 0, whatever the report says."""
    parser = Parser("zerostem doctor", description="What this machine and installation are like.")
    parser.add_argument("--json", action="store_true", help="for programs: topic -> what -> finding")
    arguments = parser.parse_args(argv)
    findings = doctor.report()
    if arguments.json:
        print_json(findings)
    else:
        print(doctor.as_text(findings))
    return 0
