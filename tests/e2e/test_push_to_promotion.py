"""A push becomes a checked commit and a release to development, with no command typed; a press in Slack promotes it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from settings.targets import Target
from tests.github_server import TOKEN as GITHUB_TOKEN
from tests.github_server import GitHubServer
from tests.installation import Installation
from tests.serving import serving
from tests.slack_server import APP_TOKEN, CHANNEL, TOKEN, SlackServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.gauntlet]
ROBIN = "U0EXAMPLE1"  # in config/approvers.toml
# What GitHub does when somebody pushes: the repository's hook signs what happened and sends it.
HOOK = """\
#!{python}
import hashlib, hmac, json, pathlib, sys, time, urllib.request, uuid
secret = pathlib.Path("{secret}").read_bytes()
for line in sys.stdin:
    before, after, ref = line.split()
    repository = {{"full_name": "team/app", "pushed_at": int(time.time())}}
    pusher = {{"name": "Dana <!channel>", "email": "dana@example.com"}}
    body = {{"ref": ref, "before": before, "after": after, "repository": repository, "pusher": pusher}}
    raw = json.dumps(body).encode()
    headers = {{
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": str(uuid.uuid4()),
        "x-hub-signature-256": "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest(),
    }}
    request = urllib.request.Request("{url}", raw, headers)
    assert urllib.request.urlopen(request, timeout=600).status == 202
"""


class Team:
    """A bare repository whose pushes are webhooks, and the GitHub and the Slack that are told."""

    def __init__(self, installation: Installation, directory: Path, github: GitHubServer, slack: SlackServer) -> None:
        self.installation = installation
        self.github = github
        self.slack = slack
        self.bare = directory / "team.git"
        self.work = directory / "work"
        subprocess.run(
            ["git", "clone", "-q", "--bare", str(installation.root / "demo" / "assistant"), str(self.bare)], check=True
        )
        subprocess.run(["git", "clone", "-q", "-b", "main", str(self.bare), str(self.work)], check=True)
        hook = self.bare / "hooks" / "post-receive"
        url = f"http://127.0.0.1:{os.environ['SLIPWAY_RECEIVER_PORT']}/github"
        secret = installation.home.keys / "github-webhook"
        hook.write_text(HOOK.format(python=sys.executable, secret=secret, url=url))
        hook.chmod(0o755)

    def git(self, *argv: str) -> str:
        who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in DANA.items()}
        command = ["git", "-C", str(self.work), *argv]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **who})
        assert "Traceback" not in done.stderr, done.stderr  # a hook that fails does not fail a push
        return done.stdout.strip()

    def push(self) -> str:
        """Commit a change of v2 and push it to develop; return the commit."""
        self.git("checkout", "-q", "-B", "develop", "v2")
        (self.work / "CHANGES.md").write_text(f"change {uuid.uuid4()}\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "fix: words for <!channel> and `$(id)` | @everybody")
        self.git("push", "-q", "-f", "origin", "develop")
        return self.git("rev-parse", "HEAD")

    def ci_status(self, commit: str) -> str:
        """Return the newest state of slipway/ci on GitHub, "" when there is none."""
        states = [
            body["state"] for one, body in self.github.statuses if one == commit and body["context"] == "slipway/ci"
        ]
        return str(states[-1]) if states else ""


DANA = {"NAME": "Dana Developer", "EMAIL": "dana@example.com"}


@pytest.fixture(scope="module")
def team(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Tell the installation of the team's repository, GitHub and Slack; restart what must know, and undo it after."""
    directory = tmp_path_factory.mktemp("team")
    github, slack = GitHubServer(), SlackServer()
    before = {name: os.environ.get(name) for name in ("SLIPWAY_NOTIFY", "SLIPWAY_REPOSITORY")}
    with serving(github.app) as github_url, serving(slack.app) as slack.url:
        for name, token in (("github", GITHUB_TOKEN), ("slack", TOKEN), ("app", APP_TOKEN)):
            (directory / name).write_text(token)
        config = directory / "notify.toml"
        config.write_text(
            f'[github]\napi_url = "{github_url}"\nrepository = "team/app"\ntoken = "file:{directory}/github"\n'
            f'[slack]\nbase_url = "{slack.url}/api/"\ntoken = "file:{directory}/slack"\n'
            f'app_token = "file:{directory}/app"\nchannel = "{CHANNEL}"\nauthors = false\n'
        )
        made = Team(installation, directory, github, slack)
        os.environ |= {"SLIPWAY_NOTIFY": str(config), "SLIPWAY_REPOSITORY": str(made.bare)}
        try:
            up(installation)
            wait_for(lambda: bool(slack.sockets), "Slack's listener connects")
            yield made
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            up(installation)


def up(installation: Installation) -> None:
    """Have the programs run with the environment as it is now."""
    done = installation.slipway("up", timeout_s=400)
    assert done.returncode == 0, done.stdout + done.stderr


def runs_of(installation: Installation, flow: str, parameter: str, commit: str) -> list[dict[str, Any]]:
    """Return the runs that an automation started for a commit."""
    query = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 50}
    found = installation.api.call("POST", "/flow_runs/filter", query)
    mine = [run for run in found if run["parameters"].get(parameter) == commit]
    return [run for run in mine if (run["created_by"] or {}).get("type") == "AUTOMATION"]


def live(installation: Installation, target: Target) -> str:
    """Return the commit that serves an environment."""
    ledger = installation.place(target).ledger()
    return ledger.live.version.commit if ledger.live else ""


def test_a_push_is_checked_released_told_and_promoted_by_the_right_person(team: Team) -> None:
    installation = team.installation
    commit = team.push()
    wait_for(lambda: len(runs_of(installation, "ci", "commit", commit)) == 1, "ci starts")
    (run,) = runs_of(installation, "ci", "commit", commit)
    wait_for(lambda: installation.state(run["id"]) in ("COMPLETED", "FAILED", "CRASHED"), "ci ends")
    assert installation.state(run["id"]) == "COMPLETED"
    wait_for(lambda: team.ci_status(commit) == "success", "GitHub knows")
    wait_for(lambda: live(installation, Target("development")) == commit, "development has it")

    wait_for(lambda: team.slack.newest("serves development") is not None, "Slack knows")
    told = team.slack.newest("serves development")
    assert told is not None and "/runs/flow-run/" in str(told["blocks"])
    wait_for(lambda: any("promoted" in text for text in team.slack.thread(told)), "its thread ends")
    wait_for(lambda: bool(team.github.deployment_statuses), "GitHub has a deployment")
    assert {one["environment"] for one in team.github.deployments} == {"development"}

    asked = installation.release(commit, Target("staging"))
    wait_for(lambda: installation.state(asked) == "PAUSED", "staging asks")
    wait_for(lambda: team.slack.newest("to staging?") is not None, "Slack asks")
    question = team.slack.newest("to staging?")
    assert question is not None
    assert "are not named in config/approvers.toml" in team.slack.press(question, "U0STRANGER")
    assert installation.state(asked) == "PAUSED" and live(installation, Target("staging")) != commit
    assert team.slack.press(question, ROBIN).startswith("Taken: approve by Robin Reviewer")
    assert installation.ended(asked)[0] == "Promoted"
    assert live(installation, Target("staging")) == commit
    answers = [
        one.data["reason"] for one in installation.place(Target("staging")).journal.entries() if one.kind == "answer"
    ]
    assert "Robin Reviewer" in answers[-1]
    texts = [one["text"] for one in team.slack.messages.values()]
    assert texts and not any("<!channel>" in text for text in texts)
