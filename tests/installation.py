"""A running installation, as tests use it: its places, its API, and versions made without waiting for `ci`."""

import json
import subprocess
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import runs
from control.plane import Control
from control.prefect_api import PrefectApi
from deployments.environment import Environment
from evidence.bundle import put_bundle, read_bundle
from evidence.commits import Commit
from evidence.provenance import make_provenance, sign_origin
from evidence.sbom import make_bom
from evidence.statements import Kind, Promoted, read_checks, read_scans, state
from host.git import git
from host.home import Home
from settings.targets import Target
from tests.waiting import wait_for

CHECKOUT = Path(__file__).resolve().parent.parent
APP = "assistant"
APPROVER = "Robin Reviewer"
WHO = {"NAME": "Tess Tester", "EMAIL": "tess@example.com"}
# Of the branches that `new_commit` makes.
BRANCHES = "main,develop,test-*"


@dataclass
class Installation:
    """The home of a running installation, and what the demo printed in it."""

    root: Path
    demo_output: str = ""
    demo_exit: int | None = None

    @property
    def home(self) -> Home:
        return Home(self.root)

    @property
    def demo_report(self) -> Path:
        return self.root / "demo" / "traffic.json"

    @property
    def api(self) -> PrefectApi:
        return PrefectApi(Control(self.home))

    @property
    def control(self) -> Control:
        return Control(self.home)

    def place(self, target: Target = Target("production")) -> Environment:
        """Return an environment as it is now; nothing is cached."""
        return Environment.open(target, APP, self.home)

    def slipway(self, *argv: str, timeout_s: float = 1800) -> subprocess.CompletedProcess[str]:
        """Type a command."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *argv],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def new_version(self, like: str = "v2", **changes: Any) -> tuple[str, str]:
        """Make an artifact that differs from a known version in commit and name, with its evidence and promotion.

        Returns its version and its digest. `changes` go into the manifest: a bad command, another health path, ...
        """
        place = self.place()
        old = next(digest for digest in place.store.artifacts() if read_bundle(place.store, digest).version == like)
        commit = self.new_commit()
        version = f"t{commit[:8]}"
        bundle = read_bundle(place.store, old).model_copy(update={"commit": commit, "version": version, **changes})
        digest = put_bundle(place.store, bundle)
        checked = read_checks(place.store, place.keys, old)
        assert checked is not None
        mine = Commit(hash=commit, author="Tess Tester", email="tess@example.com", subject="a change")
        checked = checked.model_copy(
            update={
                "commit": commit,
                "version": version,
                "at": datetime.now(UTC),
                "history": (mine, *checked.history),
            }
        )
        state(place.store, place.keys, digest, APP, Kind.CHECKS, checked)
        now = datetime.now(UTC)
        scanned = read_scans(place.store, place.keys, old)[-1]
        scanned = scanned.model_copy(update={"commit": commit, "version": version, "at": now})
        state(place.store, place.keys, digest, APP, Kind.SCANS, scanned)
        origin = make_provenance(bundle, "test", checked.pipeline, "test", now, now, host="test")
        sign_origin(place.store, place.keys, digest, bundle, origin, make_bom(place.store, digest, bundle))
        promoted = Promoted(environment="staging", version=version, commit=commit, at=datetime.now(UTC), release="test")
        state(place.store, place.keys, digest, APP, Kind.PROMOTION, promoted)
        return version, digest

    def new_commit(self) -> str:
        """Put a commit without changes onto a branch of its own in the demo's repository; return its hash."""
        repository = self.root / "demo" / "assistant"
        who = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in WHO.items()}
        message = f"a change\n\n{uuid.uuid4()}"
        commit = git("commit-tree", "main^{tree}", "-p", "main", "-m", message, at=repository, env=who)
        git("update-ref", f"refs/heads/test-{commit[:12]}", commit, at=repository)
        return commit

    def release(self, version: str | None, target: Target = Target("production")) -> str:
        """Start a release; return the run's id."""
        parameters = {"version": version} if version else {}
        return runs.start(self.api, f"release/{target.short}", **parameters)

    def approve(self, run: str) -> None:
        """Answer the run's question, once it is asked."""
        wait_for(lambda: self.state(run) == "PAUSED", f"run {run} asks")
        wait_for(lambda: runs.approval_code(self.api, run) is not None, "the approval page")
        answer = self.answer(run, code=runs.approval_code(self.api, run))
        assert answer["status"] == "ACCEPT", answer

    def answer(self, run: str, **fields: Any) -> Any:
        """Answer with these fields, right or wrong; return what the server said."""
        good = {"decision": "approve", "approver": APPROVER, "comment": ""}
        return self.api.call("POST", f"/flow_runs/{run}/resume", {"run_input": {**good, **fields}})

    def state(self, run: str) -> str | None:
        """Return the type of the run's state."""
        return self.api.run_state(run)

    def ended(self, run: str) -> tuple[str, str]:
        """Wait for the run's end; return the name of its state and the message."""
        ended = runs.follow(self.api, run, run, 1800, approver=APPROVER)
        return ended.state, ended.message

    def kinds(self, after: int, target: Target = Target("production")) -> list[str]:
        """Return the kinds of the journal's entries after a sequence number."""
        return [entry.kind for entry in self.place(target).journal.entries() if entry.seq > after]

    def mark(self, target: Target = Target("production")) -> int:
        """Return the journal's last sequence number."""
        return self.place(target).ledger().entries


def read_json(file: Path) -> Any:
    """Return a file's JSON."""
    return json.loads(file.read_text(encoding="utf-8"))
