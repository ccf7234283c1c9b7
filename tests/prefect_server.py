"""As much of Prefect's REST API as the services use: events, runs by deployment, states, artifacts, resume."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from control.plane import Control
from control.prefect_api import PrefectApi
from host.home import Home
from tests.serving import serving


class PrefectServer:
    """What was asked of it, and what it answers. `away`: every answer is 503."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.states: list[tuple[str, dict[str, Any]]] = []
        self.resumed: list[tuple[str, dict[str, Any]]] = []
        self.blocks: dict[str, dict[str, Any]] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.variables: dict[str, Any] = {}
        self.workers: dict[str, list[dict[str, Any]]] = {}
        self.deployments: list[str] = []
        self.resume_status = "ACCEPT"
        self.away = False
        self.app = Starlette(
            routes=[Route("/api/{path:path}", self.answer, methods=["GET", "POST", "PATCH"])],
        )

    def add_run(self, commit: str, state: str = "RUNNING", automatic: bool = True, **more: Any) -> dict[str, Any]:
        """Add a run of `ci/push`."""
        made_by = {"type": "AUTOMATION"} if automatic else None
        run = {"id": str(uuid.uuid4()), "parameters": {"commit": commit}, "state_type": state, "created_by": made_by}
        self.runs.append({**run, **more})
        return self.runs[-1]

    async def answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        raw = await request.body()
        body = json.loads(raw) if raw else None
        if self.away:
            return JSONResponse({"detail": "away"}, status_code=503)
        if path == "ready":
            return JSONResponse({})
        if path.startswith("deployments/"):
            return self._deployment(path.removeprefix("deployments/"), body)
        if path == "events":
            self.events += body
            return Response(status_code=204)
        if path in ("artifacts/", "variables/") or path.startswith("variables/name/"):
            return self._keep(path, body)
        if path == "flow_runs/filter":
            return JSONResponse(self.runs[body.get("offset", 0) :][: body["limit"]])
        if path == "task_runs/filter":
            return JSONResponse(self.tasks)
        if path.startswith("work_pools/"):
            return JSONResponse(self.workers.get(path.split("/")[1], []))
        if path.startswith("block_types/"):
            found = self.blocks.get(path.removeprefix("block_types/slug/").replace("/block_documents/name/", "/"))
            return JSONResponse({"data": found}) if found else JSONResponse({}, status_code=404)
        return self._run(path, body)

    def _deployment(self, path: str, body: Any) -> Response:
        """Find a deployment by its name, or create a run of one; its id here is its place in the list."""
        if path.removeprefix("name/") in self.deployments:
            return JSONResponse({"id": str(self.deployments.index(path.removeprefix("name/")))})
        place, _, verb = path.partition("/")
        if verb != "create_flow_run":
            return JSONResponse({}, status_code=404)
        state = {"id": "0", "name": "Scheduled", "message": None}
        run = self.add_run("", "SCHEDULED", deployment=self.deployments[int(place)])
        run.update(parameters=body["parameters"], state=state)
        return JSONResponse(run, status_code=201)

    def _keep(self, path: str, body: Any) -> Response:
        if path == "artifacts/":
            self.artifacts.append(body)
            return JSONResponse(body, status_code=201)
        name = body.get("name") or path.removeprefix("variables/name/")
        if path != "variables/" and name not in self.variables:
            return JSONResponse({}, status_code=404)
        self.variables[name] = body["value"]
        return Response(status_code=204)

    def _run(self, path: str, body: Any) -> Response:
        _, run, *verb = path.split("/")
        found = next((one for one in self.runs if one["id"] == run), None)
        if found is None:
            return JSONResponse({}, status_code=404)
        if verb == ["set_state"]:
            self.states.append((run, body["state"]))
            found["state_type"] = body["state"]["type"]
        if verb == ["resume"]:
            self.resumed.append((run, body["run_input"]))
            return JSONResponse({"status": self.resume_status})
        return JSONResponse(found)


@contextmanager
def prefect_server(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PrefectServer, PrefectApi]]:
    """Run one, and give the API of a home that uses it."""
    server = PrefectServer()
    home.create()
    with serving(server.app) as url:
        monkeypatch.setenv("SLIPWAY_PREFECT_PORT", str(urlsplit(url).port))
        control = Control(home)
        control.create_auth()
        yield server, PrefectApi(control)


def a_home(directory: Path) -> Home:
    """Return a home that exists."""
    home = Home(directory / "state")
    home.create()
    return home
