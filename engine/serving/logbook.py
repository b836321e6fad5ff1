"""The daemon's log: one line of JSON per event, in files that are put aside before they grow large."""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from host_bridge.files import refusal

FILE = "daemon.log"
BYTES, KEPT = 2 << 20, 5
_PLAIN = {*vars(logging.makeLogRecord({})), "message", "asctime"}
"""What every record has; whatever else one has was given to it with `extra`."""


class Line(logging.Formatter):
    """When, how grave, which room, what happened, and the facts that belong to it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever stands in it."""
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "room": record.name,
            "event": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in _PLAIN},
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


def begin(folder: Path) -> logging.Handler:
    """Write what happens from now on into `folder`. Raises BadSpool where that is not to be had."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            folder / FILE, maxBytes=BYTES, backupCount=KEPT, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise refusal(folder, error) from error
    handler.setFormatter(Line())
    handler.setLevel(logging.INFO)
    root = logging.getLogger()
    root.addHandler(handler)
    for room in ("engine", "host_bridge"):
        logging.getLogger(room).setLevel(logging.INFO)
    return handler


def end(handler: logging.Handler) -> None:
    """Write no more."""
    logging.getLogger().removeHandler(handler)
    handler.close()
