"""Command lines, parsed: what is wrong with one is told in two sentences, like every other error."""

import argparse
import difflib
from typing import Any, NoReturn

from host_bridge.errors import BadRequest


class Parser(argparse.ArgumentParser):
    """argparse with its errors as BadRequest, which is exit code 2, and with options that must be written out.

    Abbreviated options would make a script that works today ambiguous with the next release's options, so they are refused
    with the option that was meant.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """What argparse found, and where to look."""
        what, todo = f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"`{self.prog} --help` shows how."
        raise BadRequest(what, todo)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it. Raises BadRequest; SystemExit(0) after `--help`."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            shown = ", ".join(f"'{word}'" for word in unknown)
            near = self._meant(unknown[0])
            todo = f"Did you mean {near}?" if near else f"`{self.prog} --help` shows what there is."
            raise BadRequest(f"`{self.prog}` knows no {shown}.", todo)
        return options

    def _meant(self, word: str) -> str | None:
        """The option that an unknown word abbreviates or is nearest to, the subcommands' options included."""
        if not word.startswith("-"):
            return None
        known, written = self._options(), word.partition("=")[0]
        begun = [option for option in known if option.startswith(written)] if written.startswith("--") else []
        near = begun or difflib.get_close_matches(written, known, n=1, cutoff=0.75)
        return near[0] if near else None

    def _options(self) -> list[str]:
        inner = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001 - argparse has no other way
        parsers = [self, *(parser for choices in inner for parser in choices.values())]
        return sorted({option for parser in parsers for option in parser._option_string_actions})  # noqa: SLF001
