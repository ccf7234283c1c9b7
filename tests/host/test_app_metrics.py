import math

import pytest
from pytest_httpserver import HTTPServer

from host import app_metrics
from host.app_metrics import read_histogram
from host.errors import ToolError

PAGE = """# HELP db_seconds Queries
# TYPE db_seconds histogram
db_seconds_bucket{table="a",le="0.1"} 3
db_seconds_bucket{table="a",le="+Inf"} 4
db_seconds_count{table="a"} 4
db_seconds_sum{table="a"} 1
db_seconds_bucket{table="b",le="0.1"} 10
db_seconds_bucket{table="b",le="+Inf"} 20
db_seconds_count{table="b"} 20
db_seconds_sum{table="b"} 2
# TYPE db_seconds_more histogram
db_seconds_more_bucket{le="+Inf"} 1
"""


def serve(server: HTTPServer, body: str, status: int = 200) -> str:
    server.expect_request("/metrics").respond_with_data(body, status=status)
    return server.url_for("").rstrip("/")


def test_a_histogram_is_added_up_over_its_labels(httpserver: HTTPServer) -> None:
    assert read_histogram(serve(httpserver, PAGE), "/metrics", "db_seconds") == {0.1: 13, math.inf: 24}


def test_a_histogram_that_is_not_there_is_empty(httpserver: HTTPServer) -> None:
    assert read_histogram(serve(httpserver, PAGE), "/metrics", "db") == {}


@pytest.mark.parametrize(
    "body", ["\0 garbage {", "<html>no</html>", 'x_bucket{le="many"} 1\n', "x_bucket 1\n", 'x_bucket{le="nan"} 1\n']
)
def test_what_is_not_prometheus_is_refused(httpserver: HTTPServer, body: str) -> None:
    with pytest.raises(ToolError, match="/metrics"):
        read_histogram(serve(httpserver, body), "/metrics", "x")


def test_an_error_and_silence_are_refused(httpserver: HTTPServer) -> None:
    with pytest.raises(ToolError, match="answered 503"):
        read_histogram(serve(httpserver, PAGE, 503), "/metrics", "db_seconds")
    with pytest.raises(ToolError, match="ConnectError"):
        read_histogram("http://127.0.0.1:1", "/metrics", "db_seconds")


def test_a_page_without_end_is_refused(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = serve(httpserver, PAGE)
    monkeypatch.setattr(app_metrics, "LONGEST_PAGE", len(PAGE))
    assert read_histogram(url, "/metrics", "db_seconds")
    monkeypatch.setattr(app_metrics, "LONGEST_PAGE", len(PAGE) - 1)
    with pytest.raises(ToolError, match="the answer is larger than"):
        read_histogram(url, "/metrics", "db_seconds")
