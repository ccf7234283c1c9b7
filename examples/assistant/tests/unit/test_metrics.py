from prometheus_client import generate_latest

from assistant.metrics import ErrorRate, Metrics


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_no_answers_are_no_errors() -> None:
    assert ErrorRate().value() == 0.0


def test_only_server_errors_count() -> None:
    rate = ErrorRate()
    for status in (200, 404, 499, 500):
        rate.record(status)
    assert rate.value() == 0.25


def test_old_answers_are_forgotten() -> None:
    clock = Clock()
    rate = ErrorRate(window_s=60, clock=clock)
    rate.record(500)
    clock.now = 59.9
    rate.record(200)
    assert rate.value() == 0.5
    clock.now = 60
    assert rate.value() == 0.0
    clock.now = 500
    assert rate.value() == 0.0


def test_an_answer_is_counted_timed_and_judged() -> None:
    metrics = Metrics()
    metrics.answered("GET", "/api/tasks", 503, 0.2)
    labels = {"method": "GET", "route": "/api/tasks", "status": "503"}
    read = metrics.registry.get_sample_value
    assert read("http_requests_total", labels) == 1
    assert read("http_request_duration_seconds_sum", labels) == 0.2
    assert read("http_error_rate") == 1


def test_memory_and_cpu_are_there() -> None:
    text = generate_latest(Metrics().registry).decode()
    assert "process_resident_memory_bytes" in text
    assert "process_cpu_seconds_total" in text
