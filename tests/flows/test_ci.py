"""What ends `ci` before it has made anything."""

from pathlib import Path
from typing import Any

import pytest

from flows import ci as module
from host.git import git
from settings.locks import Locks
from tests.tasks.small_app import App, pipeline

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.mark.parametrize(
    "text", [pytest.param("flask>=2\n", id="no-pin"), pytest.param("flask==3.0.0\n", id="no-hash")]
)
def test_a_list_that_is_no_lock_is_refused_with_the_command_that_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    app = App(tmp_path / "repository", tmp_path / "run", tmp_path / "none")
    git("init", "-q", "-b", "main", str(app.repository))
    app.commit({"requirements.txt": text, "shop/main.py": ""})
    made = pipeline({"unit": {}})
    changes = {
        "app": made.app.model_copy(update={"repository": str(app.repository)}),
        "locks": Locks.model_validate({"runtime": "requirements.txt", "ci": "requirements.txt"}),
    }
    monkeypatch.setattr(module, "read_pipeline", lambda: made.model_copy(update=changes))
    state: Any = module.ci(return_state=True)
    assert state.is_failed(), state.message
    assert state.message.startswith("config/pipeline.toml: locks.runtime: requirements.txt: it is no lock, ")
    assert "make one: slipway lock requirements.txt" in state.message
    cache = tmp_path / "home" / "cache"
    assert not (cache / "environments").exists() and not (cache / "wheels").exists()
