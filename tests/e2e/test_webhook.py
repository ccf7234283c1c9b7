"""A push becomes a checked commit and a release to development, with no command typed."""

import hashlib
import hmac
import json
import os
import subprocess
import time
import uuid
from typing import Any

import httpx
import pytest

from tests.installation import Installation
from tests.waiting import wait_for

pytestmark = [pytest.mark.stack]


def push(installation: Installation, branch: str, commit: str, before: str) -> httpx.Response:
    """Deliver a push as GitHub does."""
    body = {
        "ref": f"refs/heads/{branch}",
        "before": before,
        "after": commit,
        "repository": {"full_name": "team/app", "pushed_at": int(time.time())},
    }
    raw = json.dumps(body).encode()
    secret = (installation.home.keys / "github-webhook").read_bytes()
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": str(uuid.uuid4()),
        "x-hub-signature-256": "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest(),
    }
    url = f"http://127.0.0.1:{os.environ['SLIPWAY_RECEIVER_PORT']}/github"
    return httpx.post(url, content=raw, headers=headers, timeout=600)


def runs_of(installation: Installation, flow: str, parameter: str, commit: str) -> list[dict[str, Any]]:
    """Return the runs that an automation started for a commit."""
    query = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 50}
    found = installation.api.call("POST", "/flow_runs/filter", query)
    mine = [run for run in found if run["parameters"].get(parameter) == commit]
    return [run for run in mine if (run["created_by"] or {}).get("type") == "AUTOMATION"]


def test_a_green_push_to_develop_is_released_to_development(installation: Installation) -> None:
    repository = installation.root / "demo" / "assistant"

    def git(*argv: str) -> str:
        command = ["git", "-C", str(repository), *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    commit, before = git("rev-parse", "v2"), git("rev-parse", "v1")
    git("branch", "-f", "develop", commit)
    assert push(installation, "develop", commit, before).status_code == 202
    wait_for(lambda: len(runs_of(installation, "ci", "commit", commit)) == 1, "ci starts")
    (run,) = runs_of(installation, "ci", "commit", commit)
    wait_for(lambda: installation.state(run["id"]) in ("COMPLETED", "FAILED", "CRASHED"), "ci ends")
    assert installation.state(run["id"]) == "COMPLETED"
    wait_for(lambda: len(runs_of(installation, "release", "version", commit)) == 1, "the release starts")


def test_a_forged_push_starts_nothing(installation: Installation) -> None:
    commit = "f" * 40
    url = f"http://127.0.0.1:{os.environ['SLIPWAY_RECEIVER_PORT']}/github"
    headers = {
        "x-hub-signature-256": "sha256=" + "0" * 64,
        "x-github-event": "push",
        "x-github-delivery": "forged-delivery",
    }
    assert httpx.post(url, json={"after": commit}, headers=headers, timeout=600).status_code == 401
    assert runs_of(installation, "ci", "commit", commit) == []
