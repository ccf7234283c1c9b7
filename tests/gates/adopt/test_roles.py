from typing import Any

import pytest

from gates.adopt.roles import propose_roles
from gates.compose_roles import PORT, ROLE

WEB: dict[str, Any] = {"build": ".", "ports": ["${WEB_PORT:-80}:8000"]}


def proposed(**services: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {one.service: dict(one.labels) for one in propose_roles(services)}


@pytest.mark.parametrize(
    ("service", "role"),
    [
        pytest.param({"build": ".", "expose": [8000]}, "slot", id="port"),
        pytest.param({"image": "${SLIPWAY_IMAGE}", "ports": [{"target": 80}]}, "slot", id="the-released-image"),
        pytest.param({"build": ".", "command": "celery -A a worker -l info"}, "slot", id="worker"),
        pytest.param(
            {"build": ".", "command": "celery -A a worker", "deploy": {"replicas": 1}}, "singleton", id="one-consumer"
        ),
        pytest.param({"build": ".", "command": ["celery", "-A", "a", "beat"]}, "singleton", id="beat"),
        pytest.param({"build": ".", "command": "celery -A a worker -B"}, "singleton", id="worker-with-beat"),
        pytest.param({"build": ".", "entrypoint": ["rqscheduler"]}, "singleton", id="scheduler"),
        pytest.param(
            {"build": ".", "ports": ["5556:5555"], "command": "celery --broker=x flower --port=5555"},
            "singleton",
            id="dashboard",
        ),
        pytest.param({"image": "docker.io/bitnami/postgresql:16", "volumes": ["d:/x"]}, "shared", id="database"),
        pytest.param({"image": "redis"}, "shared", id="cache"),
        pytest.param({"image": "grafana/grafana:11"}, "shared", id="monitoring"),
        pytest.param({"image": "me/other:1"}, "shared", id="not-built-here"),
        pytest.param({"build": "db", "volumes": ["d:/x"]}, None, id="data-under-another-name"),
        pytest.param({"build": ".", "command": "./load", "restart": "no"}, "task", id="ends-by-itself"),
        pytest.param({"build": ".", "command": "alembic upgrade head", "restart": "no"}, None, id="migration"),
        pytest.param({"image": "nginx:1", "ports": ["80:80"]}, None, id="proxy"),
        pytest.param({"build": "."}, None, id="nothing-tells"),
        pytest.param({}, None, id="nothing-at-all"),
    ],
)
def test_a_service_is_known_by_what_it_runs(service: dict[str, Any], role: str | None) -> None:
    assert proposed(web=WEB, other=service)["other"].get(ROLE) == role


def test_the_shape_of_an_ordinary_project_needs_no_question() -> None:
    found = propose_roles(
        {
            "web": WEB,
            "worker": {"build": ".", "command": "celery -A shop worker"},
            "beat": {"build": ".", "command": "celery -A shop beat"},
            "load": {"build": "."},
            "db": {"image": "postgres:16", "depends_on": {"load": {"condition": "service_completed_successfully"}}},
            "labelled": {"image": "x", "labels": ["slipway.role=shared"]},
        }
    )
    roles = [one.labels.get(ROLE) for one in found]
    assert roles == ["slot", "slot", "singleton", "task", "shared"] and all(one.why for one in found)
    assert PORT not in found[0].labels  # it is the only one


@pytest.mark.parametrize(
    ("service", "port"),
    [
        pytest.param({"labels": ["traefik.http.services.a.loadbalancer.server.port=8000"]}, "8000", id="proxy-label"),
        pytest.param({"command": "gunicorn -b 0.0.0.0:${P:-9000} a:app"}, "9000", id="bind"),
        pytest.param({"command": ["uvicorn", "a:app", "--port", "8080"]}, "8080", id="port-option"),
        pytest.param({"healthcheck": {"test": "curl -f http://localhost:7000/health"}}, "7000", id="health-check"),
    ],
)
def test_a_port_that_no_key_names_is_found_and_labelled(service: dict[str, Any], port: str) -> None:
    assert proposed(api={"build": ".", **service}) == {"api": {ROLE: "slot", PORT: port}}


def test_of_several_with_ports_the_published_one_answers_and_else_a_person_says() -> None:
    found = proposed(web=WEB, helper={"build": "h", "expose": ["9000"]})
    assert found["web"] == {ROLE: "slot", PORT: "8000"} and found["helper"] == {ROLE: "slot"}
    *_, question = propose_roles({"web": WEB, "api": WEB})
    pages = {"build": ".", "ports": ["5556:5555"], "command": "celery flower"}
    assert proposed(web=WEB, pages=pages) == {"web": {ROLE: "slot"}, "pages": {ROLE: "singleton"}}
    assert not question.labels and question.why.startswith("web, api have ports")
