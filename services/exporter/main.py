"""Hand out figures: `GET /metrics` for Prometheus, `/router/ENVIRONMENT` with what a router says over its admin socket,
and `/targets/{app,router,logs}`, where Prometheus and the log shipper find what moves.

Nothing here is secret, and nothing can be changed through it; it listens on 127.0.0.1 unless configured otherwise.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from control.plane import Control
from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.router import admin as envoy_admin
from host.errors import RouterError, SlipwayError
from host.home import Home
from services.exporter.measures import Kept, Measure, Measures
from services.exporter.measures.delivery import DeliveryMeasure
from services.exporter.measures.evidence import EvidenceMeasure
from services.exporter.measures.health import HealthMeasure
from services.exporter.measures.installation import InstallationMeasure
from services.exporter.measures.journal import JournalMeasure
from services.exporter.measures.limits import LimitMeasure
from services.exporter.measures.machine import CONTROL, MachineMeasure
from services.exporter.measures.prefect import PrefectMeasure
from services.exporter.targets import Group, app_targets, log_targets, router_targets
from services.exporter.traces import Tracer
from services.logs import configure_logs
from services.serving import serve
from settings.hosts import targets
from settings.monitoring import Monitoring, read_monitoring
from settings.pipeline import read_pipeline

log = structlog.get_logger("exporter")


class Exporter:
    """The HTTP side of one installation's figures. `loops` are what must run beside it."""

    def __init__(self, home: Home, places: Sequence[Environment], monitoring: Monitoring, metrics_path: str) -> None:
        self.home = home
        self.places = {place.name: place for place in places}
        self.address = f"127.0.0.1:{monitoring.exporter.port}"
        self.app_metrics = metrics_path if monitoring.exporter.app_metrics else ""
        self.journal = JournalMeasure(places)
        health = HealthMeasure(self.journal, monitoring.exporter.probe_seconds)
        prefect = PrefectMeasure(PrefectApi(Control(home)), monitoring.exporter.prefect_seconds)
        evidence = EvidenceMeasure(home)
        delivery = DeliveryMeasure(home, places, monitoring.exporter.delivery_days)
        supervisors = {CONTROL: Control(home).supervisor} | {place.name: place.supervisor for place in places}
        machine = MachineMeasure(home, supervisors)
        sources: list[Measure] = [self.journal, LimitMeasure(places), health, prefect, evidence, delivery, machine]
        self.registry = CollectorRegistry()
        self.registry.register(Measures([*sources, InstallationMeasure(home)]))
        self.kept: list[Kept[Any]] = [health.kept, prefect.kept, evidence.kept, delivery.kept, machine.kept]
        self._kinds = {"app": self._app, "router": self._routers, "logs": self._logs}
        self.app = Starlette(
            routes=[
                Route("/metrics", self.metrics, methods=["GET"]),
                Route("/router/{environment}", self.router, methods=["GET"]),
                Route("/targets/{kind}", self.targets, methods=["GET"]),
                Route("/health", self.health, methods=["GET"]),
            ]
        )

    async def health(self, request: Request) -> Response:
        """Say that it answers."""
        return JSONResponse({"ok": True})

    async def metrics(self, request: Request) -> Response:
        """Return every figure in Prometheus's text format."""
        text = await run_in_threadpool(generate_latest, self.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def router(self, request: Request) -> Response:
        """Return what one environment's router counts; 503 when it does not answer."""
        place = self.places.get(request.path_params["environment"])
        if place is None:
            return PlainTextResponse("no such environment\n", status_code=404)

        def ask() -> str:
            with envoy_admin.connect(place.router.admin_socket) as admin:
                return admin.exported()

        try:
            return Response(await run_in_threadpool(ask), media_type=CONTENT_TYPE_LATEST)
        except RouterError as error:
            return PlainTextResponse(f"{error}\n", status_code=503)

    async def targets(self, request: Request) -> Response:
        """Return what there is to scrape or to read now."""
        look = self._kinds.get(request.path_params["kind"])
        if look is None:
            return JSONResponse({"said": "no such kind of targets"}, status_code=404)
        return JSONResponse(await run_in_threadpool(look))

    def _app(self) -> list[Group]:
        return app_targets(self.journal.read(), self.app_metrics) if self.app_metrics else []

    def _routers(self) -> list[Group]:
        return router_targets(self.journal.read(), self.address)

    def _logs(self) -> list[Group]:
        return log_targets(self.home, self.journal.read())


def main() -> int:
    """Run until SIGTERM. Exits 2 on bad configuration, which is said in one line."""
    configure_logs("exporter")
    try:
        home = Home.find()
        pipeline = read_pipeline()
        monitoring = read_monitoring()
        places = [Environment.open(target, pipeline.app.name, home) for target in targets()]
        performance = pipeline.performance
        exporter = Exporter(home, places, monitoring, performance.metrics_path if performance else "/metrics")
        tracer = Tracer.of(home, places, pipeline.app.name)
    except SlipwayError as error:
        sys.stderr.write(f"exporter: {error}\n")
        return 2
    exporter.journal.read()  # years of them take seconds: not while somebody waits
    stop = threading.Event()
    loops: list[Callable[[threading.Event], None]] = [kept.run for kept in exporter.kept]
    if tracer:
        loops.append(tracer.run)
    # Daemons: a probe of a service that does not answer must not hold up the end.
    threads = [threading.Thread(target=loop, args=(stop,), daemon=True) for loop in loops]
    log.info("exporting", address=exporter.address, traces=tracer is not None)
    at = monitoring.exporter
    return serve(exporter.app, at.host, at.port, concurrency=32, grace_s=2, threads=threads, stop=stop)


if __name__ == "__main__":
    sys.exit(main())
