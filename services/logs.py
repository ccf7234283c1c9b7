"""How services write their logs: JSON lines without secrets, and for a person at a terminal something to read."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from host.json_logs import JsonLines, correlated, to_json, veiled


def configure_logs(service: str) -> None:
    """Have structlog and the standard library's loggers write one JSON object a line, or text at a terminal."""

    def named(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {"logger": service, **event}

    person = sys.stdout.isatty()
    last: Any = structlog.dev.ConsoleRenderer() if person else _json
    structlog.configure(
        processors=[
            named,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _correlate,
            *([_veil] if person else []),
            last,
        ]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s") if person else JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _correlate(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return correlated(dict(event))


def _veil(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {key: veiled(value) if isinstance(value, str) else value for key, value in event.items()}


def _json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    return to_json(event)
