"""Is it alive, can it reach its database, and is there room in the pool?"""

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from assistant.api.deps import UsesServices

router = APIRouter()

SLOW_DATABASE_S = 1.0

Check = dict[str, Any]


def check_database(services: UsesServices) -> Check:
    """Also says when the schema is missing. Error texts stay out: they can name hosts and users."""
    started = time.perf_counter()
    try:
        with services.database.begin() as session:
            schema = session.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return {"status": "unhealthy", "reason": "the database is not migrated"}
    except SQLAlchemyError as error:
        return {"status": "unhealthy", "reason": type(error).__name__}
    seconds = round(time.perf_counter() - started, 4)
    status = "degraded" if seconds > SLOW_DATABASE_S else "healthy"
    return {"status": status, "response_time_s": seconds, "schema": schema}


def judge_pool(in_use: int, capacity: int) -> Check:
    """Degraded with four fifths in use, unhealthy when the next request must wait."""
    full = in_use >= capacity
    status = "unhealthy" if full else "degraded" if in_use >= 0.8 * capacity else "healthy"
    return {"status": status, "in_use": in_use, "capacity": capacity}


def worst(checks: dict[str, Check]) -> str:
    order = ["healthy", "degraded", "unhealthy"]
    return order[max(order.index(check["status"]) for check in checks.values())]


def _answer(check: Check) -> JSONResponse:
    """A degraded service still serves: only unhealthy is 503."""
    code = 503 if check["status"] == "unhealthy" else 200
    return JSONResponse(check, code, headers={"Cache-Control": "no-store"})


@router.get("/health/live")
async def live() -> PlainTextResponse:
    return PlainTextResponse("alive")


@router.get("/health/overall")
def overall(services: UsesServices) -> JSONResponse:
    database = services.database
    pool = judge_pool(database.connections_in_use(), database.pool_capacity)
    if pool["status"] == "unhealthy":  # the next check waits for its turn, and decides
        pool["status"] = "degraded"
    checks = {"pool": pool, "database": check_database(services)}
    if services.broker.closing:
        checks["server"] = {"status": "unhealthy", "reason": "shutting down"}
    return _answer({"status": worst(checks), "checks": checks})


@router.get("/health/database")
def database(services: UsesServices) -> JSONResponse:
    return _answer(check_database(services))


@router.get("/health/database/pool")
def database_pool(services: UsesServices) -> JSONResponse:
    database = services.database
    return _answer(judge_pool(database.connections_in_use(), database.pool_capacity))


@router.get("/metrics")
async def metrics(services: UsesServices) -> Response:
    services.metrics.pool_in_use.set(services.database.connections_in_use())
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
