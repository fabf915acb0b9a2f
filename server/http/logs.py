"""The server's own log: lines for people, or JSON objects for a collector."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum

_FIELDS = ("request", "method", "route", "status", "ms", "refused")


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"


class JsonLines(logging.Formatter):
    """One JSON object a line; a request's facts are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        facts = {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        told |= facts or {"message": record.getMessage()}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def log_to_stderr(form: LogFormat) -> None:
    """Have the server and uvicorn log, and nobody else below warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines()
        if form is LogFormat.JSON
        else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(handlers=[handler])
    for name in ("coin.server", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
