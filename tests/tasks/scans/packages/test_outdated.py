import pytest
from pytest_httpserver import HTTPServer

from tasks.scans.packages.outdated import Distance, Outdated, Row, distance, outdated, outdated_page


@pytest.mark.parametrize(
    ("installed", "latest", "kind"),
    [
        ("1.2.3", "1.2.3", None),
        ("1.2.3", "1.2.2", None),
        ("1.2.3", "1.2.4", Distance.PATCH),
        ("1.2", "1.2.1", Distance.PATCH),
        ("1.2.3", "1.3.0", Distance.MINOR),
        ("1.2.3", "2.0.0", Distance.MAJOR),
        ("2024.1", "1!1.0", Distance.MAJOR),
        ("1.2.3rc1", "1.2.3", Distance.PATCH),
        ("today", "1.0", None),
    ],
)
def test_the_first_number_that_differs_decides(installed: str, latest: str, kind: Distance | None) -> None:
    assert distance(installed, latest) is kind


@pytest.fixture
def index(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    """A package index of wheels (PEP 691 and 658) that this host's uv asks."""
    wheels = {"one": ["1.0", "1.1", "2.0"], "two": ["1.0", "1.0.1", "1.1rc1"], "three": ["3.0"]}
    for name, versions in wheels.items():
        files = []
        for version in versions:
            file = f"{name}-{version}-py3-none-any.whl"
            url = httpserver.url_for(f"/files/{file}")
            files.append(
                {"filename": file, "url": url, "hashes": {}, "core-metadata": True, "requires-python": ">=3.8"}
            )
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: absent\n"
            httpserver.expect_request(f"/files/{file}.metadata").respond_with_data(about)
        body = {"meta": {"api-version": "1.0"}, "name": name, "files": files}
        content_type = "application/vnd.pypi.simple.v1+json"
        httpserver.expect_request(f"/simple/{name}/").respond_with_json(body, content_type=content_type)
    monkeypatch.setenv("UV_DEFAULT_INDEX", httpserver.url_for("/simple/"))
    monkeypatch.setenv("UV_NO_CACHE", "1")
    return httpserver


def test_what_has_a_newer_final_release_is_listed_once_with_its_locks(index: HTTPServer) -> None:
    found = outdated({"run.lock": "one==1.0\nthree==3.0\n", "ci.lock": "one==1.0\ntwo==1.0\n"}, "3.11")
    assert found == Outdated(
        (
            Row("one", "1.0", "2.0", Distance.MAJOR, ("run.lock", "ci.lock")),
            Row("two", "1.0", "1.0.1", Distance.PATCH, ("ci.lock",)),
        ),
        3,
    )


def test_the_page_shows_the_farthest_behind_first() -> None:
    rows = (Row("a", "1", "1.0.1", Distance.PATCH, ("x",)), Row("b|c", "1", "2", Distance.MAJOR, ("x", "y")))
    page = outdated_page(Outdated(rows, 9, "index | away"))
    assert page.startswith("# 2 of 9 packages are outdated\n\nNot everything could be looked at: index \\| away\n")
    assert page.index("b\\|c") < page.index("| a |")


def test_an_index_that_does_not_know_or_answer_is_told(index: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = outdated({"run.lock": "one==1.0\nprivate==1.0\n"}, "3.11")
    assert (unknown.rows, unknown.packages) == ((), 0)
    assert "private" in unknown.problem
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    away = outdated({"run.lock": "one==1.0\n"}, "3.11")
    assert (away.rows, away.packages) == ((), 0)
    assert "could not be asked" in away.problem


@pytest.mark.parametrize("lock", ["", "-r other.txt\n"])
def test_a_lock_that_pins_nothing_is_told(lock: str) -> None:
    found = outdated({"run.lock": lock}, "3.11")
    assert found.packages == 0
    assert found.problem.startswith("run.lock: ")
