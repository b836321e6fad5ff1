"""`zerostem doctor`: a report on this machine and installation, to read or to paste into a bug report."""

import argparse
import json

from engine import doctor


def main(argv: list[str]) -> int:
    """Run `zerostem doctor` with these arguments and return the exit code: 0, whatever the report says."""
    parser = argparse.ArgumentParser("zerostem doctor", description="What this machine and installation are like.")
    parser.add_argument("--json", action="store_true", help="for programs: topic -> what -> finding")
    arguments = parser.parse_args(argv)
    findings = doctor.report()
    print(json.dumps(findings, indent=2) if arguments.json else doctor.as_text(findings))
    return 0
