"""Each of these was a bug. The docstring says what people saw."""

import math
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assistant.api.deps import today
from assistant.parsing import clean_title, parse_task
from assistant.security import sign_webhook, webhook_problem
from tests.app_fixtures import Person, metric


def test_a_text_with_nul_is_stored(person: Person) -> None:
    """A task pasted from a PDF answered 500: PostgreSQL has no NUL in text."""
    task_id = person.add("Buy\x00 milk")
    assert person.get("/api/tasks")[0]["title"] == "Buy milk"
    imported = person.call("POST", "/api/tasks/import", content=b"a\x00b\n\xff\xfe\n")
    assert imported.status_code == 201
    assert person.complete(task_id).status_code == 200


def test_a_message_that_is_sent_again_makes_no_second_task(person: Person, send_sms: Any) -> None:
    """The provider sends again after a timeout; people had everything twice."""
    assert send_sms("Buy milk", message_id="m1").json()["result"] == "created"
    assert send_sms("Buy milk", message_id="m1").json()["result"] == "duplicate"
    assert len(person.get("/api/tasks")) == 1


def test_a_timestamp_that_is_no_number_is_not_fresh() -> None:
    """`abs(now - nan) > tolerance` is false, so "nan" passed as fresh forever."""
    signature = sign_webhook("key", "nan", b"{}")
    assert math.isnan(float("nan"))
    assert webhook_problem("key", "nan", signature, b"{}", now=1000) is not None


def test_completing_twice_counts_once(person: Person, client: TestClient) -> None:
    """A double click was two completed tasks, and moved the time of completion."""
    task_id = person.add("Buy milk")
    before = metric(client, "assistant_tasks_completed_total")
    first = person.complete(task_id).json()["completed_at"]
    assert person.complete(task_id).json()["completed_at"] == first
    assert metric(client, "assistant_tasks_completed_total") == before + 1


def test_what_is_done_is_not_overdue(person: Person) -> None:
    """The page scolded people for tasks that they had finished late."""
    person.complete(person.add("late", today() - timedelta(days=3)))
    assert person.get("/api/tasks/summary")["overdue"] == 0


def test_a_character_cut_in_two_by_the_network_survives(person: Person) -> None:
    """Slow uploads turned umlauts into question marks: each chunk was decoded alone."""
    content = iter([b"K\xc3", b"\xa4se kaufen\n"])
    person.call("POST", "/api/tasks/import", content=content)
    assert person.get("/api/tasks")[0]["title"] == "Käse kaufen"


def test_the_answer_to_a_new_task_is_final(person: Person) -> None:
    """The transaction ended after the answer was sent, and the list that followed missed it."""
    for number in range(20):
        task_id = person.add(f"task {number}")
        assert task_id in {task["id"] for task in person.get("/api/tasks")}


@pytest.mark.parametrize("line", ["Call mum by 2026-02-31", "Call mum 9999-99-99"])
def test_a_day_that_does_not_exist_is_part_of_the_title(line: str) -> None:
    """A typing error in a date lost the whole message."""
    parsed = parse_task(line, today())
    assert parsed is not None
    assert (parsed.title, parsed.due_on) == (line, None)


def test_titles_cannot_hide_behind_direction_marks() -> None:
    """An invisible mark reversed the rest of the page."""
    assert clean_title("Buy \u202emilk") == "Buy milk"


def test_an_id_beyond_the_database_is_simply_unknown(person: Person) -> None:
    """The largest ids answered 500: the number did not fit into the column."""
    assert person.complete(2**63).status_code == 422
    assert person.complete(2**63 - 1).status_code == 404
