"""A local server that speaks the endpoints of GitHub's REST API that we use, with the failures that GitHub has."""

import asyncio
import base64
import gzip
import json
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

TOKEN = "a-token-for-tests"


class GitHubServer:
    """The repository team/app. `failures` are answered first, one a request; `asked` is what was asked for."""

    def __init__(self) -> None:
        self.failures: list[Response | float] = []
        self.asked: list[tuple[str, str]] = []
        self.statuses: list[tuple[str, dict[str, Any]]] = []
        self.pulls: dict[str, list[int]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.deployments: list[dict[str, Any]] = []
        self.deployment_statuses: list[tuple[int, dict[str, Any]]] = []
        self.sarifs: list[dict[str, Any]] = []
        self.releases: dict[str, dict[str, Any]] = {}
        self.branches: dict[str, str] = {}
        self.open_pulls: list[dict[str, Any]] = []
        self.login: str | None = "slipway-bot"
        self.repository = Path()  # a bare repository, which git reads at /team/app.git
        self.app = Starlette(
            routes=[Route("/{path:path}", self.answer, methods=["GET", "POST", "PATCH"])],
        )

    async def answer(self, request: Request) -> Response:
        path, raw = request.path_params["path"], await request.body()
        self.asked.append((request.method, path))
        if path.startswith("team/app.git/"):
            return self._git_file(path.removeprefix("team/app.git/"), request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Response):
                return failure
            await asyncio.sleep(failure)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"message": "Bad credentials"}, status_code=401)
        if path == "user":
            return JSONResponse({"login": self.login}) if self.login else JSONResponse({"message": "app"}, 403)
        parts = path.removeprefix("repos/team/app/").split("/")
        handle = getattr(self, f"_{request.method.lower()}_{parts[0].replace('-', '_')}", None)
        if handle is None:
            return JSONResponse({"message": "Not Found"}, status_code=404)
        answer: Response = handle(parts[1:], json.loads(raw) if raw else None, request)
        return answer

    def _git_file(self, path: str, request: Request) -> Response:
        login = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {login}":
            return Response(status_code=401, headers={"www-authenticate": 'Basic realm="GitHub"'})
        file = self.repository / path
        return FileResponse(file) if file.is_file() else Response(status_code=404)

    def _post_statuses(self, parts: list[str], body: dict[str, Any], request: Request) -> Response:
        if len(body["description"]) > 140:
            return JSONResponse({"message": "description is too long"}, status_code=422)
        self.statuses.append((parts[0], body))
        return JSONResponse({"id": len(self.statuses)}, status_code=201)

    def _get_commits(self, parts: list[str], body: None, request: Request) -> Response:
        return JSONResponse([{"number": one, "state": "open"} for one in self.pulls.get(parts[0], [])])

    def _get_issues(self, parts: list[str], body: None, request: Request) -> Response:
        page = int(request.query_params["page"])
        return JSONResponse(self.comments.get(int(parts[0]), [])[100 * (page - 1) : 100 * page])

    def _post_issues(self, parts: list[str], body: dict[str, Any], request: Request) -> Response:
        author = {"login": self.login or "slipway[bot]", "type": "User" if self.login else "Bot"}
        known = self.comments.setdefault(int(parts[0]), [])
        known.append({"id": 1000 + sum(map(len, self.comments.values())), "body": body["body"], "user": author})
        return JSONResponse(known[-1], status_code=201)

    def _patch_issues(self, parts: list[str], body: dict[str, Any], request: Request) -> Response:
        for comment in [one for some in self.comments.values() for one in some]:
            if comment["id"] == int(parts[1]):
                comment["body"] = body["body"]
                return JSONResponse(comment)
        return JSONResponse({"message": "Not Found"}, status_code=404)

    def _post_deployments(self, parts: list[str], body: dict[str, Any], request: Request) -> Response:
        if not parts:
            self.deployments.append(body)
            return JSONResponse({"id": len(self.deployments)}, status_code=201)
        self.deployment_statuses.append((int(parts[0]), body))
        return JSONResponse({"id": 1}, status_code=201)

    def _post_code_scanning(self, parts: list[str], body: dict[str, Any], request: Request) -> Response:
        self.sarifs.append({**body, "sarif": json.loads(gzip.decompress(base64.b64decode(body["sarif"])))})
        return JSONResponse({"id": "1"}, status_code=202)

    def _get_releases(self, parts: list[str], body: None, request: Request) -> Response:
        known = self.releases.get(parts[1])
        return JSONResponse(known) if known else JSONResponse({"message": "Not Found"}, status_code=404)

    def _post_releases(self, parts: list[str], body: dict[str, Any], request: Request) -> Response:
        self.releases[body["tag_name"]] = {**body, "id": len(self.releases) + 1}
        return JSONResponse(self.releases[body["tag_name"]], status_code=201)

    def _patch_releases(self, parts: list[str], body: dict[str, Any], request: Request) -> Response:
        self.releases[body["tag_name"]] |= body
        return JSONResponse(self.releases[body["tag_name"]])

    def _get_branches(self, parts: list[str], body: None, request: Request) -> Response:
        commit = self.branches.get("/".join(parts))
        if commit is None:
            return JSONResponse({"message": "Branch not found"}, status_code=404)
        return self._conditional({"name": parts[0], "commit": {"sha": commit}}, request)

    def _get_pulls(self, parts: list[str], body: None, request: Request) -> Response:
        base = request.query_params["base"]
        return self._conditional([one for one in self.open_pulls if one["base"]["ref"] == base], request)

    def _conditional(self, found: Any, request: Request) -> Response:
        etag = f'W/"{abs(hash(json.dumps(found)))}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304)
        return JSONResponse(found, headers={"etag": etag})


def rate_limited(retry_after: str = "30") -> Response:
    return JSONResponse({"message": "secondary rate limit"}, status_code=429, headers={"retry-after": retry_after})


def spent(reset: int) -> Response:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    return JSONResponse({"message": "API rate limit exceeded"}, status_code=403, headers=headers)


def html(status: int = 502) -> Response:
    return HTMLResponse("<html>unicorn</html>", status_code=status)
