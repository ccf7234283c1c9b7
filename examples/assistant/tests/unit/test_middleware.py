from collections.abc import Iterator

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from assistant.metrics import Metrics
from assistant.middleware import ObserveRequests


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(metrics: Metrics) -> TestClient:
    app = FastAPI()
    app.add_middleware(ObserveRequests, metrics=metrics)

    @app.get("/things/{name}")
    def thing(name: str) -> str:
        return name

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("a secret detail")

    @app.get("/stream", response_class=StreamingResponse)
    def stream(fails: bool = False) -> StreamingResponse:
        def parts() -> Iterator[str]:
            labels = ("GET", "/stream", "200")
            # The beginning of a stream is counted, not its end.
            yield f"data: {metrics.requests.labels(*labels)._value.get()}\n\n"
            if fails:
                raise RuntimeError("too late")

        return StreamingResponse(parts(), media_type="text/event-stream")

    @app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return TestClient(app)


def count(metrics: Metrics, method: str, route: str, status: str) -> float | None:
    labels = {"method": method, "route": route, "status": status}
    return metrics.registry.get_sample_value("http_requests_total", labels)


def test_requests_are_counted_by_template(client: TestClient, metrics: Metrics) -> None:
    client.get("/things/a")
    client.get("/things/b")
    client.get("/nowhere/1")
    client.get("/nowhere/2")
    assert count(metrics, "GET", "/things/{name}", "200") == 2
    assert count(metrics, "GET", "unmatched", "404") == 2


def test_invented_methods_share_a_label(client: TestClient, metrics: Metrics) -> None:
    client.request("BREW", "/nowhere")
    assert count(metrics, "other", "unmatched", "404") == 1


def test_the_correlation_id_comes_back(client: TestClient) -> None:
    kept = client.get("/things/a", headers={"X-Request-ID": "abc-1"})
    assert kept.headers["x-request-id"] == "abc-1"
    made = client.get("/things/a", headers={"X-Request-ID": "bad id"})
    assert len(made.headers["x-request-id"]) == 32


def test_an_error_tells_its_id_and_nothing_else(client: TestClient, metrics: Metrics) -> None:
    answer = client.get("/broken", headers={"X-Request-ID": "abc"})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "internal error", "correlation_id": "abc"}
    assert answer.headers["x-request-id"] == "abc"
    assert count(metrics, "GET", "/broken", "500") == 1


def test_a_stream_is_counted_once_when_it_begins(client: TestClient, metrics: Metrics) -> None:
    assert client.get("/stream").text == "data: 1.0\n\n"
    assert count(metrics, "GET", "/stream", "200") == 1


def test_an_error_in_the_middle_of_an_answer_breaks_it_off(client: TestClient) -> None:
    with pytest.raises(RuntimeError):
        client.get("/stream?fails=true")


def test_other_protocols_pass(client: TestClient) -> None:
    with client.websocket_connect("/socket"):
        pass
