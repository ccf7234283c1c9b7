"""What `make up` registers is what Prefect's own `prefect deploy --all` makes of prefect.yaml."""

import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from cli.deploy import create_deployments, read_deployments
from cli.server import create_pools
from control.server_process import prefect
from host.errors import ConfigError, ToolError
from host.home import CHECKOUT

# What differs between two creations of one thing. The version is git's or a digest, by the checkout's remotes.
OF_ONE_CREATION = {"id", "created", "updated", "last_polled", "status", "version", "version_id", "version_info"}
SETS = ("expect", "after", "for_each")  # of a trigger; the order in which a server tells one is chance
KNOWN = "name: x, entrypoint: 'flows/report.py:report', work_pool: {name: prod, job_variables: {}}, tags: []"


def lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: sorted(one) if key in SETS else lasting(one)
            for key, one in value.items()
            if key not in OF_ONE_CREATION
        }
    return [lasting(one) for one in value] if isinstance(value, list) else value


def known(what: str) -> dict[str, Any]:
    """Return the server's deployments or automations by a name that is theirs alone."""
    found = httpx.post(f"{PREFECT_API_URL.value()}/{what}/filter", json={}, timeout=120).raise_for_status().json()
    if what == "deployments":
        return {f"{one['entrypoint']} {one['name']}": lasting(one) for one in found}
    return {
        f"{one['name']} {one['trigger']['match']} {sorted(one['trigger']['expect'])}": lasting(one) for one in found
    }


def test_the_same_as_prefect_deploy_and_repeatable(prefect_server: None) -> None:
    create_pools()
    create_deployments(read_deployments())
    ours = known("deployments"), known("automations")
    assert len(ours[0]) == 16 and len(ours[1]) >= 6
    create_deployments(read_deployments())
    assert (known("deployments"), known("automations")) == ours
    env = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or "", "PYTHONPATH": str(CHECKOUT)}
    env["PREFECT_CLIENT_RETRY_EXTRA_CODES"] = "500"
    argv = [prefect(), "--no-prompt", "deploy", "--all"]
    done = subprocess.run(argv, cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (known("deployments"), known("automations")) == ours


TEMPLATE = f"{{{KNOWN}, description: d}}"


@pytest.mark.parametrize(
    ("definitions", "why"),
    [
        (f"once: [{TEMPLATE}, {TEMPLATE}]", "report/x is there twice"),
        (f"each-environment: [{TEMPLATE}]", "report/x is there twice"),
        (
            f"each-environment: [{TEMPLATE.replace('name: x', 'when: red, name: x')}]",
            'when: got "red", expected one of: green',
        ),
        (f"once: [{TEMPLATE.replace('description: d', 'description: e')}]", "report/x is not what `definitions` say"),
    ],
)
def test_definitions_that_do_not_fit_are_refused(tmp_path: Path, definitions: str, why: str) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(f"definitions: {{{definitions}}}\ndeployments: [{TEMPLATE}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        read_deployments(file)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (f"{{{KNOWN}}}", "description"),
        (f"{{{KNOWN}, description: d, pull: []}}", "report/x: pull is not understood here"),
        ("{name: x}", "entrypoint"),
        (f"{{{KNOWN.replace('{}}', '{}, work_queue_name: q}')}, description: d}}", "work_pool: work_queue_name is not"),
        (
            f"{{{KNOWN}, description: d, schedules: [{{cron: '0 0 * * *', timezone: UTC, slug: s, active: false}}]}}",
            "active",
        ),
        (f"{{{KNOWN}, description: d, triggers: [{{type: event, posture: Never}}]}}", "posture"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, said: str, why: str) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(f"deployments: [{said}]", encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        read_deployments(file)


def test_what_the_whole_file_says_and_nobody_reads_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text("deployments: []\npull: []\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="the file: pull is not understood here"):
        read_deployments(file)


def test_a_deployment_that_the_server_refuses_is_named(prefect_server: None) -> None:
    wanted = [one for one in read_deployments() if one.name == "weekly"]
    wanted[0].work_pool_name = "no-such-pool"
    # no more tries: the server's answer is a 500, which tests ask about again for the sake of a locked SQLite
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), pytest.raises(ToolError, match="report/weekly"):
        create_deployments(wanted)
