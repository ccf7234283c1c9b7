"""Local advisory source: a directory of OSV records, served in OSV's protocol for hosts without the internet.

The directory holds one record a file, as an unpacked dump of OSV does. Only Python packages are matched; a query about
another ecosystem is refused, not answered with "nothing is known". Records are read once: restart it after a refresh.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gates.documents import first_fault
from host.errors import ConfigError
from services.serving import make_server
from tasks.scans.packages.osv import ECOSYSTEM, Record, affects

LARGEST_RECORD_BYTES = 20_000_000
LARGEST_QUERY_BYTES = 5_000_000


def _valid(version: str) -> str:
    Version(version)
    return version


class Package(BaseModel):
    """The package of a query."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=300)
    ecosystem: Literal["PyPI"]


class Query(BaseModel):
    """A query; without a version it asks for everything about the package."""

    model_config = ConfigDict(extra="forbid")

    package: Package
    version: Annotated[str, Field(max_length=300), AfterValidator(_valid)] | None = None


@dataclass(frozen=True)
class Records:
    """The records of a directory, each with its text as it came, by id and by the Python packages that they name.

    `newest` is when the latest about a Python package was changed (aware UTC).
    """

    by_id: Mapping[str, tuple[Record, Any]]
    by_package: Mapping[str, list[tuple[Record, Any]]]
    newest: datetime

    def matching(self, query: Query) -> list[Any]:
        """Return the records, as they came, of what affects the package."""
        name, version = query.package.name, query.version
        return [
            raw
            for record, raw in self.by_package.get(canonicalize_name(name), [])
            if not record.withdrawn and (version is None or affects(record, name, version))
        ]


def load(directory: Path) -> Records:
    """Read every record below a directory.

    Raises ConfigError if there is none, or if one cannot be read: without it a vulnerability would go unreported.
    """
    files = sorted(directory.rglob("*.json"))
    by_id = {record.id: (record, raw) for record, raw in map(_read, files)}
    by_package: dict[str, list[tuple[Record, Any]]] = {}
    for record, raw in by_id.values():
        for name in _packages(record):
            by_package.setdefault(name, []).append((record, raw))
    times = [record.modified for records in by_package.values() for record, _ in records]
    if not times:
        raise ConfigError(f"{directory}: no OSV record about a package of {ECOSYSTEM}; unpack a dump of OSV's there")
    return Records(by_id, by_package, max(times).astimezone(UTC))


def make_app(records: Records) -> Starlette:
    """Return the service. Each answer has the newest record's time as Last-Modified."""
    headers = {"Last-Modified": format_datetime(records.newest.replace(microsecond=0), usegmt=True)}

    def answer(body: Any, status: int = 200) -> JSONResponse:
        return JSONResponse(body, status, headers)

    async def query(request: Request) -> JSONResponse:
        matching = records.matching(Query.model_validate_json(await _body(request)))
        return answer({"vulns": matching} if matching else {})

    async def vulnerability(request: Request) -> JSONResponse:
        known = records.by_id.get(request.path_params["name"])
        return answer(known[1]) if known else answer({"code": 5, "message": "Bug not found."}, 404)

    async def about(_: Request) -> JSONResponse:
        hours = (datetime.now(UTC) - records.newest).total_seconds() / 3600
        return answer(
            {"records": len(records.by_id), "newest": records.newest.isoformat(), "age_hours": round(hours, 1)}
        )

    async def refused(_: Request, error: Exception) -> JSONResponse:
        reason = first_fault(error) if isinstance(error, ValidationError) else str(error)
        return answer({"code": 3, "message": reason}, 400)

    routes = [
        Route("/v1/query", query, methods=["POST"]),
        Route("/v1/vulns/{name}", vulnerability),
        Route("/", about),
    ]
    return Starlette(routes=routes, exception_handlers={ValueError: refused})


def main(directory: str, port: str) -> None:
    """Serve a directory's records on 127.0.0.1 until stopped. Prints their age first."""
    try:
        records = load(Path(directory))
    except ConfigError as error:
        sys.exit(f"error: {error}")
    hours = (datetime.now(UTC) - records.newest).total_seconds() / 3600
    sys.stdout.write(f"{len(records.by_id)} records, the newest {hours:.0f} h old; http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    make_server(make_app(records), "127.0.0.1", int(port), concurrency=64, grace_s=2).run()


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_QUERY_BYTES:
            raise ValueError("the query is too long")
    return bytes(body)


def _read(file: Path) -> tuple[Record, Any]:
    try:
        if file.stat().st_size > LARGEST_RECORD_BYTES:
            raise ConfigError(f"{file}: larger than any OSV record")
        raw = json.loads(file.read_bytes())
        return Record.model_validate(raw), raw
    except ValidationError as error:
        raise ConfigError(f"{file}: not an OSV record: {first_fault(error)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: cannot be read: {type(error).__name__}") from error


def _packages(record: Record) -> Iterable[str]:
    named = (one.package for one in record.affected)
    return {canonicalize_name(package.name) for package in named if package and package.ecosystem == ECOSYSTEM}


if __name__ == "__main__":
    main(*sys.argv[1:])
