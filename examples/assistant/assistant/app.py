"""Put the application together."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.responses import Response
from starlette.types import Scope

from assistant.api import accounts, admin, health, live, oauth, sms, tasks
from assistant.api.deps import Services
from assistant.config import Settings
from assistant.database import Database
from assistant.events import Broker, Listener
from assistant.logs import configure_logging
from assistant.metrics import Metrics
from assistant.middleware import ObserveRequests

log = logging.getLogger("assistant")

STATIC = Path(__file__).parent / "static"


class Page(StaticFiles):
    """The built page. Its files keep their names from build to build, so browsers must ask."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def create_app(settings: Settings, static: Path = STATIC) -> FastAPI:
    configure_logging(settings.log_level)
    metrics = Metrics()
    app = FastAPI(title="Assistant", version="1.0.0", lifespan=_lifespan)
    app.state.services = Services(settings, Database(settings, metrics), metrics, Broker())
    app.add_middleware(ObserveRequests, metrics=metrics)
    for error in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(error, _database_unavailable)
    for module in (accounts, tasks, live, sms, oauth, admin, health):
        app.include_router(module.router)
    if static.is_dir():
        app.mount("/", Page(directory=static, html=True))
    else:
        app.add_api_route("/", _no_page, include_in_schema=False)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        _end_streams_on_signal(services.broker, loop)
    listener = Listener(services.database.url, services.broker, loop)
    log.info("started", extra={"fields": {"environment": services.settings.environment}})
    yield
    listener.stop()
    services.database.engine.dispose()
    log.info("stopped")


def _end_streams_on_signal(broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
    """The server waits for open answers before it tells the application that it stops: an event
    stream would never hear of it. So hear the signal here, and pass it on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        server = signal.getsignal(number)

        def on_signal(received: int, frame: FrameType | None, server: object = server) -> None:
            loop.call_soon_threadsafe(broker.close)
            if callable(server):
                server(received, frame)

        signal.signal(number, on_signal)


async def _database_unavailable(request: Request, error: Exception) -> JSONResponse:
    log.error("database unavailable: %s", type(error).__name__)
    return JSONResponse({"detail": "try again in a moment"}, 503, {"Retry-After": "2"})


async def _no_page() -> dict[str, str]:
    return {"service": "assistant", "page": "not built"}
