import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from host.errors import ConfigError
from host.home import CHECKOUT
from services.osv import LARGEST_QUERY_BYTES, load, make_app
from tests.serving import serving
from tests.tasks.scans.packages.advisories import PLANTS, record, write_records


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("records")
    write_records(directory)
    with serving(make_app(load(directory))) as url, httpx.Client(base_url=url) as client:
        yield client


def ask(name: str, version: str | None = None, ecosystem: str = "PyPI") -> dict[str, Any]:
    body: dict[str, Any] = {"package": {"name": name, "ecosystem": ecosystem}}
    return body | ({"version": version} if version else {})


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_query_answers_what_affects_the_version(client: httpx.Client, plant: Any) -> None:
    found = client.post("/v1/query", json=ask(plant.name, plant.vulnerable)).json()["vulns"]
    expected = [one for one in plant.records if one["affected"][0]["package"]["name"] != "another"]
    assert found == sorted(expected, key=lambda one: str(one["id"]))
    assert client.post("/v1/query", json=ask(plant.name, plant.clean)).json() == {}


def test_names_are_normalised_and_without_a_version_everything_is_told(client: httpx.Client) -> None:
    assert len(client.post("/v1/query", json=ask("Flask.CORS", "3.0.8")).json()["vulns"]) == 1
    assert len(client.post("/v1/query", json=ask("jinja2")).json()["vulns"]) == 2
    assert client.post("/v1/query", json=ask("mistaken", "1.0")).json() == {}


def test_a_record_by_its_id(client: httpx.Client) -> None:
    assert client.get("/v1/vulns/PYSEC-2018-28").json() == PLANTS[2].records[0]
    assert client.get("/v1/vulns/PYSEC-1-1").status_code == 404


def test_every_answer_tells_the_age(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(record("A-1", "flask", modified="2024-02-01T10:00:00.5Z")))
    (tmp_path / "b.json").write_text(json.dumps(record("A-2", "flask", modified="2024-01-01T10:00:00Z")))
    other = record("A-3", "left-pad", modified="2025-01-01T10:00:00Z")
    other["affected"][0]["package"]["ecosystem"] = "npm"
    (tmp_path / "c.json").write_text(json.dumps(other))
    with serving(make_app(load(tmp_path))) as url:
        about = httpx.get(url)
        answer = httpx.post(f"{url}/v1/query", json=ask("flask", "1"))
    assert about.headers["last-modified"] == answer.headers["last-modified"] == "Thu, 01 Feb 2024 10:00:00 GMT"
    assert about.json()["records"] == 3


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"{}", json.dumps(ask("left-pad", "1.0", "npm")), json.dumps(ask("flask", "not a version"))],
)
def test_what_cannot_be_answered_is_refused_and_never_empty(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/query", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert client.post("/v1/query", content=b"x" * (LARGEST_QUERY_BYTES + 1)).status_code == 400


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no OSV record about a package of PyPI"),
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("{}", "not an OSV record: id"),
        (json.dumps({"id": "X-1", "modified": "yesterday"}), "not an OSV record: modified"),
        (json.dumps({"id": "X-1", "modified": "2024-01-01T00:00:00Z"}), "no OSV record about a package of PyPI"),
    ],
)
def test_a_directory_that_cannot_be_served_is_refused(tmp_path: Path, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path)


def test_the_command_refuses_an_empty_directory_in_one_line(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "cli.main", "osv", str(tmp_path), "--port", "1"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path}: no OSV record")
    assert len(done.stderr.splitlines()) == 1
