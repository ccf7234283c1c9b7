"""Prefect's REST API, as far as `watch` needs it: by plain HTTP, so that a service that runs for ever stays small."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from control.plane import Control
from host import tls
from host.errors import ServerAway
from host.home import Home

TIMEOUT_S = 10.0


class PrefectApi:
    """Calls one installation's server. Every method raises ServerAway when it does not answer, or answers an error."""

    def __init__(self, control: Control | None = None, url: str = "", auth: str = "") -> None:
        self.control = control or Control(Home.find())
        self._url, self._auth = url, auth

    @classmethod
    def of_run(cls, home: Home) -> "PrefectApi":
        """Return the API that this process's run belongs to, which may be another host's, else this installation's.

        Prefect tells its runs by PREFECT_API_URL and PREFECT_API_AUTH_STRING.
        """
        url = os.environ.get("PREFECT_API_URL", "").rstrip("/").removesuffix("/api")
        return cls(Control(home), url, os.environ.get("PREFECT_API_AUTH_STRING", "") if url else "")

    @property
    def url(self) -> str:
        return self._url or self.control.url

    def call(self, method: str, path: str, body: Mapping[str, Any] | Sequence[Any] | None = None) -> Any:
        """Return the decoded answer, None for "not found"."""
        user, _, password = (self._auth or self.control.auth).partition(":")
        try:
            answer = httpx.request(
                method,
                f"{self.url}/api{path}",
                json=body,
                auth=(user, password),
                timeout=TIMEOUT_S,
                verify=tls.context(),
            )
        except httpx.HTTPError as error:
            raise ServerAway(
                f"the Prefect server does not answer at {self.url} ({type(error).__name__}); start it: make up"
            ) from error
        if answer.status_code == 404:
            return None
        if answer.is_error:
            raise ServerAway(
                f"the Prefect server answered {answer.status_code} to {method} {path}: {answer.text[:200]}"
            )
        return answer.json() if answer.content else {}

    def run_state(self, run: str) -> str | None:
        """Return the state type of a flow run ("RUNNING", "PAUSED", ...), None when there is no such run."""
        found = self.call("GET", f"/flow_runs/{run}")
        return found["state_type"] if found else None

    def set_state(self, run: str, kind: str, name: str, message: str) -> None:
        """Force a flow run into a state: for runs whose process cannot do so any more."""
        state = {"type": kind, "name": name, "message": message}
        self.call("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def start(self, deployment: str, parameters: Mapping[str, Any], key: str) -> str | None:
        """Create a run of a deployment, once for each `key`; return its id, None when there is no such deployment."""
        flow, _, name = deployment.partition("/")
        found = self.call("GET", f"/deployments/name/{flow}/{name}")
        if found is None:
            return None
        body = {"parameters": dict(parameters), "idempotency_key": key, "state": {"type": "SCHEDULED"}}
        return str(self.call("POST", f"/deployments/{found['id']}/create_flow_run", body)["id"])
