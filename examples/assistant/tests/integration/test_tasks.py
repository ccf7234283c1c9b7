from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from assistant.api.deps import Services, today
from assistant.api.tasks import monday_of
from tests.app_fixtures import Person, metric


def titles(person: Person, query: str = "") -> list[str]:
    return [task["title"] for task in person.get(f"/api/tasks{query}")]


def test_a_task_is_as_it_was_given(person: Person) -> None:
    body = {"title": " Buy  milk ", "due_on": "2026-03-04"}
    answer = person.call("POST", "/api/tasks", json=body)
    assert answer.status_code == 201
    task = answer.json()
    assert (task["title"], task["due_on"]) == ("Buy milk", "2026-03-04")
    assert (task["source"], task["completed_at"]) == ("web", None)


@pytest.mark.parametrize("title", ["", "   ", "\u200b", "x" * 201])
def test_titles_must_say_something_short(person: Person, title: str) -> None:
    assert person.call("POST", "/api/tasks", json={"title": title}).status_code == 422


def test_urgent_tasks_come_first(person: Person) -> None:
    person.add("some day")
    person.add("tomorrow", today() + timedelta(days=1))
    person.add("today", today())
    assert titles(person) == ["today", "tomorrow", "some day"]
    assert titles(person, "?limit=1") == ["today"]


def test_lists_are_filtered_by_state(person: Person) -> None:
    person.complete(person.add("done"))
    person.add("open")
    assert titles(person, "?status=open") == ["open"]
    assert titles(person, "?status=completed") == ["done"]
    assert titles(person, "?status=all") == ["done", "open"]
    assert person.call("GET", "/api/tasks?status=lost").status_code == 422


def test_lists_are_filtered_by_due_date(person: Person) -> None:
    monday = monday_of(today())
    person.add("last week", monday - timedelta(days=1))
    person.add("monday", monday)
    person.add("today", today())
    person.add("sunday", monday + timedelta(days=6))
    person.add("next week", monday + timedelta(days=7))
    assert "last week" in titles(person, "?due=overdue")
    assert "today" not in titles(person, "?due=overdue")
    assert "today" in titles(person, "?due=today")
    assert titles(person, "?due=week") == ["monday", "today", "sunday"]


def test_people_see_and_complete_their_own_tasks_only(person: Person, other: Person) -> None:
    mine = person.add("mine")
    assert other.get("/api/tasks") == []
    assert other.complete(mine).status_code == 404
    assert other.complete(mine + 1).status_code == 404


def test_completing_counts(person: Person, client: TestClient) -> None:
    before = metric(client, "assistant_tasks_completed_total")
    assert person.complete(person.add("Buy milk")).json()["completed_at"]
    assert metric(client, "assistant_tasks_completed_total") == before + 1


def test_the_summary_counts_open_completed_and_overdue(person: Person, services: Services) -> None:
    yesterday = today() - timedelta(days=1)
    person.add("overdue", yesterday)
    person.add("open", today())
    person.complete(person.add("done in time", today()))
    person.complete(person.add("done late", yesterday))
    old = person.add("done last week", monday_of(today()) - timedelta(days=1))
    person.complete(old)
    with services.database.begin() as session:
        week_ago = text("UPDATE tasks SET completed_at = now() - interval '7 days' WHERE id = :id")
        session.execute(week_ago, {"id": old})
    assert person.get("/api/tasks/summary") == {
        "open": 2,
        "completed_this_week": 2,
        "overdue": 1,
    }


def test_lines_of_text_are_imported(person: Person) -> None:
    lines = "- [ ] Buy milk\n\n* Pay rent by 2026-04-01\r\nCall mum"
    headers = {"content-type": "text/plain; charset=utf-8"}
    answer = person.call("POST", "/api/tasks/import", content=lines, headers=headers)
    assert (answer.status_code, answer.json()) == (201, {"imported": 3})
    assert titles(person) == ["Pay rent", "Buy milk", "Call mum"]
    assert person.get("/api/tasks")[0]["source"] == "import"


def test_an_empty_import_is_no_error(person: Person) -> None:
    answer = person.call("POST", "/api/tasks/import", content="\n\n")
    assert (answer.status_code, answer.json()) == (201, {"imported": 0})


def test_imports_have_a_limit_and_a_type(person: Person) -> None:
    assert person.call("POST", "/api/tasks/import", content="x" * 65_537).status_code == 413
    headers = {"content-type": "application/json"}
    json = person.call("POST", "/api/tasks/import", content="[]", headers=headers)
    assert json.status_code == 415
    assert person.get("/api/tasks") == []


def test_the_focus_timer_answers_when_it_is_over(person: Person) -> None:
    assert person.get("/api/focus?seconds=0.05") == {"focused_s": 0.05}
    for seconds in ("0", "-1", "30.1", "nan", "soon"):
        assert person.call("GET", f"/api/focus?seconds={seconds}").status_code == 422
