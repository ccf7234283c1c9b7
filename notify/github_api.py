"""GitHub's REST API, as far as news for it need. Every call is bounded in time and size; answers are checked."""

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from gates.notify.retries import wait_of
from host.errors import SlipwayError
from host.http import TooLarge, TooSlow, read_at_most

TIMEOUT_S = 10.0
LARGEST_BYTES = 10_000_000
MARK = "<!-- slipway -->"
PAGES = 10


class GitHubTrouble(SlipwayError):
    """GitHub did not do what was asked. `wait_s` says when to ask again, None: asking again will not help.

    `status` is what it answered, None without an answer; `limited` says that it asks us to wait.
    """

    def __init__(self, message: str, wait_s: float | None, status: int | None = None, limited: bool = False) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        self.status = status
        self.limited = limited


class Answer(NamedTuple):
    """What a path holds, None while it is what its ETag says; and the seconds that GitHub wants between questions."""

    body: Any
    etag: str
    every_s: float


class GitHubApi:
    """One repository; without a token as anybody may see it. Methods raise GitHubTrouble."""

    def __init__(self, api_url: str, repository: str, token: str | None, timeout_s: float = TIMEOUT_S) -> None:
        headers = {
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
            "user-agent": "slipway",
        }
        if token:
            headers["authorization"] = f"Bearer {token}"
        self.repository = repository
        self.timeout_s = timeout_s
        self._client = httpx.Client(base_url=api_url, headers=headers, timeout=timeout_s)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the decoded answer. `path` starts after the repository, or with a slash."""
        answer, raw = self._ask(method, path, body, {})
        return _decoded(answer, raw, f"{method} {path}")

    def look(self, path: str, etag: str) -> Answer:
        """Return what a path holds unless it is unchanged: that costs nothing of the rate limit ("" is no ETag)."""
        answer, raw = self._ask("GET", path, None, {"if-none-match": etag} if etag else {})
        wish = answer.headers.get("x-poll-interval", "")
        every_s = float(wish) if wish.isdigit() else 0.0
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return Answer(None, etag, every_s)
        return Answer(_decoded(answer, raw, f"GET {path}"), answer.headers.get("etag", ""), every_s)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[httpx.Response, bytes]:
        where = path if path.startswith("/") else f"/repos/{self.repository}/{path}"
        try:
            with self._client.stream(method, where, json=body, headers=headers) as answer:
                return answer, read_at_most(answer, LARGEST_BYTES, 3 * self.timeout_s)
        except (TooLarge, TooSlow) as error:
            raise GitHubTrouble(f"GitHub's answer to {method} {path} is too large or too slow", 60) from error
        except httpx.HTTPError as error:
            raise GitHubTrouble(f"GitHub does not answer ({type(error).__name__})", 15) from error

    def status(self, commit: str, context: str, state: str, description: str, url: str) -> None:
        """Set a commit status: pending, success, failure or error. Repeatable: the newest of a context counts."""
        body = {"state": state, "context": context, "description": description[:140]}
        self.call("POST", f"statuses/{commit}", body | ({"target_url": url} if url else {}))

    def pulls_of(self, commit: str) -> list[int]:
        """Return the numbers of the open pull requests that a commit belongs to."""
        found = self.call("GET", f"commits/{commit}/pulls")
        return [int(one["number"]) for one in found if one.get("state") == "open"]

    def comment(self, pull: int, text: str, known: int | None) -> int:
        """Change our comment under a pull request, or write one; return its id. `known` is its id where we know it."""
        body = {"body": f"{MARK}\n{text}"[:65_000]}
        found = known or self._our_comment(pull)
        if found:
            try:
                self.call("PATCH", f"issues/comments/{found}", body)
                return found
            except GitHubTrouble as trouble:
                if trouble.status != 404:  # else somebody deleted it
                    raise
        return int(self.call("POST", f"issues/{pull}/comments", body)["id"])

    def _our_comment(self, pull: int) -> int | None:
        """Return a comment of ours that we forgot. The mark alone proves nothing: anybody can write it."""
        me = self._login()
        for page in range(1, PAGES + 1):
            found = self.call("GET", f"issues/{pull}/comments?per_page=100&page={page}")
            for one in found:
                author = one.get("user") or {}
                mine = author.get("login") == me if me else author.get("type") == "Bot"
                if mine and str(one.get("body", "")).startswith(MARK):
                    return int(one["id"])
            if len(found) < 100:
                return None
        return None

    def _login(self) -> str | None:
        """Return whose token it is; None for an app's, which may not ask."""
        try:
            return str(self.call("GET", "/user")["login"])
        except GitHubTrouble as trouble:
            if trouble.status in (401, 403, 404):
                return None
            raise

    def create_deployment(self, commit: str, environment: str, description: str, production: bool) -> int:
        """Create a deployment; return its id. Not repeatable: each call is one."""
        body = {
            "ref": commit,
            "environment": environment,
            "auto_merge": False,
            "required_contexts": [],  # Slipway has looked itself
            "production_environment": production,
            "description": description[:140],
        }
        return int(self.call("POST", "deployments", body)["id"])

    def deployment_status(self, deployment: int, state: str, description: str, log_url: str, url: str) -> None:
        """Say how a deployment is: in_progress, success, failure, error or inactive."""
        body = {"state": state, "description": description[:140], "auto_inactive": True}
        links = {"log_url": log_url, "environment_url": url}
        self.call("POST", f"deployments/{deployment}/statuses", body | {k: v for k, v in links.items() if v})

    def upload_sarif(self, commit: str, ref: str, packed: str) -> None:
        """Upload a SARIF file, packed by `pack`, to the Security tab. `ref` is refs/heads/... or refs/pull/.../head."""
        self.call("POST", "code-scanning/sarifs", {"commit_sha": commit, "ref": ref, "sarif": packed})

    def release(self, tag: str, commit: str, notes: str) -> None:
        """Create or change the release of a tag. Repeatable."""
        body = {"tag_name": tag, "target_commitish": commit, "name": tag, "body": notes[:120_000]}
        try:
            known = int(self.call("GET", f"releases/tags/{quote(tag, safe='')}")["id"])
        except GitHubTrouble as trouble:
            if trouble.status != 404:
                raise
            self.call("POST", "releases", body)
        else:
            self.call("PATCH", f"releases/{known}", body)


def pack(sarif: bytes) -> str:
    """Return a SARIF file as GitHub wants it: gzip, then base64."""
    return base64.b64encode(gzip.compress(sarif, mtime=0)).decode()


def _decoded(answer: httpx.Response, raw: bytes, what: str) -> Any:
    if answer.is_success:
        try:
            return json.loads(raw) if raw else {}
        except ValueError as error:
            raise GitHubTrouble(f"GitHub's answer to {what} is no JSON", 60) from error
    status = answer.status_code
    wait_s = wait_of(status, answer.headers, datetime.now(UTC))
    limited = wait_s is not None and status < 500
    if status >= 500:
        wait_s = max(wait_s or 0, 15)
    if wait_s is None and status in (401, 403):
        wait_s = 300  # a token that expired or lacks a right: a person will mend it
    raise GitHubTrouble(f"GitHub answered {status} to {what}: {_message(raw)}", wait_s, status, limited)


def _message(raw: bytes) -> str:
    """Return what an error answer says: its message when it is GitHub's JSON, else what kind of thing it is."""
    try:
        found = json.loads(raw)
    except ValueError:
        return "no JSON"
    return str(found.get("message", ""))[:200] if isinstance(found, dict) else "no message"
