"""Around every request: a correlation id, one log line, the metrics, and an honest 500."""

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.logs import choose_correlation_id, correlation_id
from assistant.metrics import Metrics

log = logging.getLogger("assistant.http")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def labels(scope: Scope) -> tuple[str, str]:
    """Method and route template, never the real path: there must be few of them."""
    route = str(getattr(scope.get("route"), "path", "unmatched")) or "static"
    return scope["method"] if scope["method"] in METHODS else "other", route


class ObserveRequests:
    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = choose_correlation_id(Headers(scope=scope).get("x-request-id", ""))
        correlation_id.set(request_id)
        started, status, is_stream = time.perf_counter(), 0, False

        def count() -> float:
            seconds = time.perf_counter() - started
            self.metrics.answered(*labels(scope), status, seconds)
            return seconds

        async def observed_send(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                status = message["status"]
                if is_stream := headers.get("content-type", "").startswith("text/event-stream"):
                    count()
            await send(message)

        try:
            with self.metrics.in_flight.track_inprogress():
                await self.app(scope, receive, observed_send)
        except Exception:
            log.exception("unhandled error")
            if status:  # too late for another answer; the server closes the connection
                raise
            body = {"detail": "internal error", "correlation_id": request_id}
            await JSONResponse(body, 500)(scope, receive, observed_send)
        finally:
            if status and not is_stream:  # no status: the client left before any answer
                count()
            method, route = labels(scope)
            seconds = round(time.perf_counter() - started, 4)
            fields = {"method": method, "route": route, "status": status, "seconds": seconds}
            log.info("request", extra={"fields": fields})
