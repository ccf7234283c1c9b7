"""An environment that is one more file between staging and production: released to, approved for, rolled back."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL

import deployments.preflight
import flows.release
import flows.rollback
from cli.deploy import FILE, read_deployments, write_deployments
from cli.runs import CODE
from deployments.environment import Environment
from deployments.preflight import preflight
from evidence.bundle import Image, read_bundle
from evidence.statements import Kind, Promoted, state
from flows.release import release
from flows.rollback import rollback
from gates.release.approval import Approver
from host.docker.engine import Engine
from host.home import CHECKOUT
from settings import targets
from settings.targets import Target
from tests.deployments.shop import Shop, shop

pytestmark = pytest.mark.usefixtures("prefect_server")
NO_IMAGE = Image(id="sha256:" + "0" * 64, compose={"qa": "compose.yml"})
MORE = "APPROVAL=required\nREQUIRES_PROMOTION_IN=staging\nMIN_FREE_DISK_MB=1\n"
ROBIN = Approver("Robin Reviewer", ("robin@example.com",), ("qa",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("qa")
    config = directory / "config"
    config.mkdir()
    for file in (CHECKOUT / "config").glob("*.env"):
        shutil.copy(file, config)
    production = (config / "production.env").read_text()
    (config / "production.env").write_text(production.replace("IN=staging", "IN=qa"))
    (config / "qa.env").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "CONFIG", config)
        patch.setattr(deployments.preflight, "read_approvers", lambda: [ROBIN])
        with shop(directory, "process", Engine(), MORE, Target("qa")) as one:
            for flow in (flows.release, flows.rollback):
                patch.setattr(flow, "open_place", lambda environment: one.place())
            yield one


def promote(made: Shop, digest: str, environment: str) -> None:
    """State that another environment has promoted an artifact."""
    place = made.place()
    bundle = read_bundle(place.store, digest)
    promoted = Promoted(
        environment=environment, version=bundle.version, commit=bundle.commit, at=datetime.now(UTC), release="test"
    )
    state(place.store, place.keys, digest, "shop", Kind.PROMOTION, promoted)


def ask(method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(method, f"{PREFECT_API_URL.value()}{path}", json=body, timeout=120)
    return answer.raise_for_status().json()


def approve_once(run: str) -> bool:
    """Answer the question of a run as a person in the UI does; return whether the answer was taken."""
    if ask("GET", f"/flow_runs/{run}")["state_type"] != "PAUSED":
        return False
    wanted = {"flow_run_id": {"any_": [run]}, "key": {"any_": ["approval"]}}
    (page,) = ask("POST", "/artifacts/filter", {"artifacts": wanted})
    code = CODE.search(page["data"])
    assert code
    form = {"decision": "approve", "approver": ROBIN.name, "code": code[1]}
    return bool(ask("POST", f"/flow_runs/{run}/resume", {"run_input": form})["status"] == "ACCEPT")


def approve(made: Shop, ended: threading.Event) -> None:
    """Answer the question of a release, unless the release ends before it asks. A busy server is asked again."""
    while not ended.wait(0.1):
        with suppress(httpx.HTTPError):
            if any(approve_once(question.run) for question in made.place().ledger().questions.values()):
                return


def released(made: Shop, digest: str) -> State[str]:
    """Release an artifact to qa while somebody is there who approves it."""
    ended = threading.Event()
    person = threading.Thread(target=approve, args=(made, ended))
    person.start()
    try:
        state: State[str] = release(Target("qa"), digest, return_state=True)
    finally:
        ended.set()
        person.join()
    return state


def test_a_version_is_released_approved_and_rolled_back_there(made: Shop) -> None:
    first, second = made.vouched("good one", NO_IMAGE), made.vouched("good two", NO_IMAGE)
    blocked = released(made, first)
    assert blocked.name == "Blocked" and "staging" in str(blocked.message), blocked.message
    for digest in (first, second):
        promote(made, digest, "staging")
        ended = released(made, digest)
        assert ended.name == "Promoted", ended.message
    assert made.says() == ["good", "two"]
    assert made.place().ledger().promoted == [first, second]
    back = rollback(Target("qa"), return_state=True)
    assert back.name == "RolledBack", back.message
    assert made.says() == ["good", "one"] and second in made.place().ledger().condemned


def test_production_wants_what_the_new_environment_promoted(made: Shop) -> None:
    production = Environment.open(Target("production"), "shop", made.home)
    assert production.settings.requires_promotion_in == "qa"
    digest = made.vouched("good three", NO_IMAGE)
    promote(made, digest, "staging")
    problem = f"qa has not promoted {digest[:12]}"
    assert problem in preflight(production, digest).verdict.reason
    promote(made, digest, "qa")
    assert problem not in preflight(production, digest).verdict.reason


def test_it_has_the_deployments_of_the_others_on_a_pool_of_its_own(made: Shop) -> None:
    """`make up` creates them from its file alone; prefect.yaml is only for `prefect deploy`."""
    ours = [entry for entry in read_deployments() if entry.name == "qa"]
    assert sorted(entry.flow_name or "" for entry in ours) == ["monitor", "reconcile", "release", "rollback"]
    assert {entry.work_pool_name for entry in ours} == {"qa"}
    assert all(entry.parameters == {"environment": "qa"} for entry in ours)
    (unhealthy,) = next(entry.triggers for entry in ours if entry.flow_name == "rollback")
    assert unhealthy.name == "roll back qa when it is unhealthy"
    assert "slipway.environment.qa" in str(unhealthy.match)


def test_the_file_for_prefect_deploy_takes_it_on(made: Shop, tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    shutil.copy(FILE, file)
    assert write_deployments(file) and "\n- {name: qa, entrypoint: 'flows/release.py:release'" in file.read_text()
    assert not write_deployments(file)
    assert len(read_deployments(file)) == len(read_deployments())
