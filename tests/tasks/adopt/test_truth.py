"""What a proposal says of a repository is true, also where two things in it look alike."""

from pathlib import Path

from tests.tasks.adopt.shapes import lock
from tests.tasks.adopt.test_repository import lay, proposed

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
LOCKED = {"requirements.lock": lock("fastapi", "uvicorn")}


def at(folder: str, app: str) -> dict[str, str]:
    return {f"{folder}/main.py": app, f"{folder}/requirements.lock": LOCKED["requirements.lock"]}


def test_a_health_path_of_another_service_is_none_of_this_one(tmp_path: Path) -> None:
    health = f"{FASTAPI}@app.get('/health')\ndef health(): return 1\n"
    top = lay(
        tmp_path / "shop", {**at("svc/a", f"{FASTAPI}@app.get('/x')\ndef x(): return 1\n"), **at("svc/b", health)}
    )
    draft = proposed(top, tmp_path)[0].draft
    assert draft.value("app", "directory") == "svc/a"
    assert draft.value("health", "paths") == ("/openapi.json",)
    assert "health.paths" in [one.key for one in draft.questions]


def test_of_two_apps_beside_each_other_the_served_ones_health_path_is_taken(tmp_path: Path) -> None:
    health = f"{FASTAPI}@app.get('/health')\ndef health(): return 1\n"
    started = {"Procfile": "web: uvicorn other:app\n", "other.py": health.replace("/health", "/ping")}
    draft = proposed(lay(tmp_path / "shop", {"admin.py": health, **started, **LOCKED}), tmp_path)[0].draft
    assert draft.value("health", "paths") == ("/ping",)
