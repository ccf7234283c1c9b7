"""Everything about a compose file at once, before anything runs. Reads with compose; starts nothing."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.environment import Environment
from deployments.runtimes.compose.adopting.looked import Looked, look
from deployments.runtimes.compose.adopting.tree import candidate
from deployments.runtimes.compose.runtime import ComposeRuntime
from host.docker.engine import Engine
from host.home import Home
from settings.pipeline import Pipeline
from settings.targets import Target
from tests.waiting import NEVER_S

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
SETTINGS = """\
PORT=1
RUNTIME=compose
PROJECT=looked-at
STRATEGY=blue-green
REQUIRED_GATES=unit
APP_MODE=live
SECRET_TOKEN=generated
"""
PIPELINE = Pipeline.model_validate(
    {
        "app": {"name": "shop", "repository": "/nowhere"},
        "locks": {"runtime": "a", "ci": "a"},
        "run": {"command": ["python"]},
    }
)
ROLE = "slipway.role"
# FastAPI, Celery worker and beat, PostgreSQL and Redis, as people write such a file.
SHOP: dict[str, Any] = {
    "x-app": {},
    "services": {
        "web": {
            "build": {"context": ".", "target": "production"},
            "image": "shop:latest",
            "command": "uvicorn shop.main:app --host 0.0.0.0 --port 8000",
            "ports": ["8000:8000"],
            "environment": {"DATABASE_URL": "postgresql://shop:${TOKEN}@db/shop", "MODE": "${MODE:?say which}"},
            "depends_on": {"db": {"condition": "service_healthy"}, "redis": {"condition": "service_started"}},
            "deploy": {"resources": {"limits": {"memory": "1g", "cpus": "0.5"}}},
            "labels": {ROLE: "slot"},
            "restart": "always",
        },
        "worker": {
            "image": "shop:latest",
            "command": "celery -A shop worker",
            "environment": ["TOKEN"],
            "depends_on": ["redis"],
            "labels": [f"{ROLE}=slot"],
        },
        "beat": {"image": "shop:latest", "command": "celery -A shop beat", "labels": {ROLE: "singleton"}},
        "db": {
            "image": "postgres:16",
            "environment": {"POSTGRES_PASSWORD": "${TOKEN}"},
            "volumes": ["data:/var/lib/postgresql/data"],
            "healthcheck": {"test": ["CMD", "pg_isready"]},
            "labels": {ROLE: "shared"},
        },
        "redis": {"image": "redis:7", "labels": {ROLE: "shared"}},
    },
    "volumes": {"data": None},
}


def looked(directory: Path, file: Any, more: str = "", host: str = "unix:///nowhere/docker.sock") -> Looked:
    """Return what is seen of a tree with a compose file. Without an engine, unless `host` names one."""
    config = directory / "config"
    config.mkdir()
    (config / "production.env").write_text(f"{SETTINGS}DOCKER_HOST={host}\n{more}")
    place = Environment.open(Target("production"), "shop", Home(directory / "home"), config)
    tree = candidate(PIPELINE, directory / "installed", "compose.yml", "production")
    tree.source.mkdir(parents=True)
    text = file if isinstance(file, str) else yaml.safe_dump(file, sort_keys=False)
    (tree.source / "compose.yml").write_text(text)
    (tree.source / "Dockerfile").write_text("FROM scratch AS production\n")
    return look(ComposeRuntime(place), tree)


def test_a_project_of_the_usual_shape_has_no_problem_and_nobody_could_ask_an_engine(tmp_path: Path) -> None:
    seen = looked(tmp_path, SHOP)
    assert seen.problems == []
    assert [name.rpartition("-")[2] for name in seen.files] == ["blue", "singleton", "shared"]
    blue, singleton, shared = seen.files.values()
    assert "web-blue" in blue and "worker-blue" in blue and "beat" in singleton and "postgres:16" in shared
    assert "MODE: live" in blue and "sha256:0000" in blue and "pids" in blue
    (unseen,) = seen.unseen
    assert (
        unseen.startswith("nobody could look whether ports, names, volumes and networks")
        and "does not answer" in unseen
    )
    assert not (tmp_path / "home").exists()


def test_everything_that_is_wrong_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    services = {
        name: {key: value for key, value in one.items() if key != "labels"} for name, one in SHOP["services"].items()
    }
    services["web"] |= {"privileged": True, "environment": {"A": "${FIRST:?}", "B": "${SECOND?}", "C": "${THIRD}"}}
    services["worker"] |= {"mem_limit": "much"}  # compose takes neither
    services["beat"] |= {"networks": ["nowhere"]}
    services["db"] |= {"labels": {ROLE: "shared"}, "devices": ["/dev/sda"], "secrets": ["password"]}
    file = yaml.safe_dump({**SHOP, "services": services, "secrets": {"password": {"file": "./p"}}}, sort_keys=False)
    seen = looked(tmp_path, file, f"SECRET_GONE=file:{tmp_path}/gone\nSECRET_KEPT=env:LOOKED_UNSET\n")
    said = "\n".join(seen.problems)
    for words in (
        "FIRST: set nowhere",
        "SECOND: set nowhere",
        "THIRD: set nowhere",
        "invalid size",
        "undefined network",
    ):
        assert words in said, words
    line = file[: file.index("privileged")].count("\n") + 1
    assert f"compose.yml:{line}: service web: privileged: " in said and "db: devices: not allowed" in said
    assert "SECRET_GONE: cannot read" in said and "SECRET_KEPT: the variable LOOKED_UNSET is not set" in said
    (labels,) = [one for one in seen.problems if "no label, expected" in one]
    assert labels.startswith("services ") and "web (compose.yml:" in labels and "redis (compose.yml:" in labels
    assert seen.unseen and not seen.files


def test_what_the_files_lack_of_the_environment_is_told_at_once(tmp_path: Path) -> None:
    services = {
        **SHOP["services"],
        "beat": {**SHOP["services"]["beat"], "secrets": ["one", "two"], "volumes": ["./x:/x"]},
    }
    services["worker"] = {**services["worker"], "command": "sh -c 'alembic upgrade head && celery worker'"}
    secrets = {"one": {"file": "./one"}, "two": {"file": "./two"}}
    seen = looked(tmp_path, {**SHOP, "services": services, "secrets": secrets}, "SECRET_SPARE=generated\n")
    said = "\n".join(seen.problems)
    for words in ("mounts the secret one", "mounts the secret two", "./x of the repository", "`alembic upgrade` runs"):
        assert words in said, words
    assert len(seen.problems) == 4 and len(seen.files) == 3
    assert list(seen.notes) == ["No container gets SECRET_SPARE: the compose file does not name it."]


@pytest.mark.docker
def test_what_an_engine_has_is_told_even_of_a_file_with_other_faults(engine: Engine, tmp_path: Path) -> None:
    name = "looked-at_data"
    subprocess.run(
        ["docker", "volume", "create", "--label", "com.docker.compose.project=theirs", name],
        check=True,
        timeout=NEVER_S,
    )
    try:
        web = {**SHOP["services"]["web"], "labels": {}}
        file = {**SHOP, "services": {**SHOP["services"], "web": web}}
        seen = looked(tmp_path, file, host=engine.name)
        assert any(f"the volume {name} is of theirs" in one for one in seen.problems) and seen.unseen == []
        assert any("service web: no label" in one for one in seen.problems)
    finally:
        subprocess.run(["docker", "volume", "rm", name], check=True, timeout=NEVER_S)
