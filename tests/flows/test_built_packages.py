"""A package without a wheel, from the commit's lock to the suites, the artifact and what a release installs of it."""

from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from evidence.bundle import copy_blobs, read_bundle, verify_bundle
from evidence.store import Store
from flows import test as module
from gates.locks import read_lock
from host.home import CHECKOUT, Home
from host.virtual_environments import interpreter, make_venv
from settings.locks import Locks
from settings.pipeline import Pipeline
from tasks.build.bundle import make_bundle
from tests.host.sdists.archives import make_sdist, with_setup
from tests.tasks.small_app import App, pipeline

pytestmark = pytest.mark.usefixtures("prefect_server")
LOCK = (CHECKOUT / "examples" / "assistant" / "requirements-dev.lock").read_text()
TEST = "import said\n\ndef test_it(): assert said.WORD == 'built'\n"


@pytest.fixture
def shop(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """An app whose tests and service need what its index has only as sources."""
    index = tmp_path / "index"
    index.mkdir()
    index.chmod(0o755)  # the sandbox's user reads it
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(index))
    pinned = f"said==1.0 --hash=sha256:{make_sdist(index, with_setup())}\n"
    app.commit({"run.lock": pinned, "dev.lock": LOCK + pinned, "tests/unit/test_said.py": TEST, "shop/main.py": ""})
    return app


def plan(shop: App, *names: str) -> Pipeline:
    made = pipeline({"unit": {}})
    return made.model_copy(
        update={
            "app": made.app.model_copy(update={"repository": str(shop.repository)}),
            "locks": Locks.model_validate({"runtime": "run.lock", "ci": "dev.lock", "build_from_source": names}),
        }
    )


def test_its_suites_run_with_what_was_built(shop: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_pipeline", lambda: plan(shop, "said"))
    state: Any = module.test(suite="unit", return_state=True)
    assert state.is_completed(), state.message


def test_what_is_not_named_ends_the_run_with_package_and_key(shop: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_pipeline", lambda: plan(shop))
    state: Any = module.test(suite="unit", return_state=True)
    assert state.is_failed() and 'build_from_source = ["said"]' in state.message


def test_the_artifact_has_the_wheel_and_needs_no_build_any_more(
    shop: App, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(shop, "said")
    run = flow(lambda: make_bundle(made, shop.workspace(), []), name="bundle")
    digest = run()
    assert run() == digest
    store = Store(Home.find().store)
    bundle = verify_bundle(store, digest)
    (name, wheel), *others = bundle.wheels.items()
    assert name == "said-1.0-py3-none-any.whl" and not others
    assert bundle.built[wheel].source == "said-1.0.tar.gz" and read_bundle(store, digest) == bundle
    lock = store.copy_blob(bundle.lock, tmp_path / "artifact.lock")
    assert [(one.name, one.hashes) for one in read_lock(lock.read_text()).packages] == [("said", (wheel,))]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    copy_blobs(store, bundle.wheels, tmp_path / "wheels")
    make_venv(tmp_path / "installed", interpreter("3.11"), lock, tmp_path / "wheels", tmp_path / "uv")
    assert list((tmp_path / "installed").glob("lib/python3*/site-packages/said.py"))
