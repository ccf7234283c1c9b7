"""Tasks: create, list, complete, count, import."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import AfterValidator, BaseModel, StringConstraints
from sqlalchemy import func, insert, select
from starlette.concurrency import run_in_threadpool

from assistant.api.deps import Id, LoggedIn, Services, UsesServices, now, today
from assistant.events import announce
from assistant.models import Task
from assistant.parsing import ParsedTask, clean_title, parse_task

router = APIRouter()

MAX_IMPORT_BYTES = 64 * 1024


def _title(text: str) -> str:
    if not (title := clean_title(text)):
        raise ValueError("expected at least one printable character")
    return title


class NewTask(BaseModel):
    title: Annotated[str, StringConstraints(max_length=200), AfterValidator(_title)]
    due_on: date | None = None


class TaskOut(BaseModel, from_attributes=True):
    id: int
    title: str
    due_on: date | None
    source: str
    created_at: datetime
    completed_at: datetime | None


class Summary(BaseModel):
    open: int
    completed_this_week: int
    overdue: int


class Imported(BaseModel):
    imported: int


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


@router.post("/api/tasks", status_code=201)
def create_task(body: NewTask, user: LoggedIn, services: UsesServices) -> TaskOut:
    with services.database.begin() as session:
        task = Task(user_id=user.id, title=body.title, due_on=body.due_on)
        session.add(task)
        session.flush()
        announce(session, user.id, "created", task.id)
        return TaskOut.model_validate(task)


@router.get("/api/tasks")
def list_tasks(
    user: LoggedIn,
    services: UsesServices,
    status: Literal["open", "completed", "all"] = "open",
    due: Literal["overdue", "today", "week"] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[TaskOut]:
    """The most urgent first: by due date, those without one last."""
    query = select(Task).where(Task.user_id == user.id)
    if status != "all":
        query = query.where(Task.completed_at.is_(None) == (status == "open"))
    if due == "overdue":
        query = query.where(Task.due_on < today())
    elif due == "today":
        query = query.where(Task.due_on == today())
    elif due == "week":
        monday = monday_of(today())
        query = query.where(Task.due_on.between(monday, monday + timedelta(days=6)))
    query = query.order_by(Task.due_on.asc().nulls_last(), Task.id).limit(limit)
    with services.database.begin() as session:
        return [TaskOut.model_validate(task) for task in session.scalars(query)]


@router.get("/api/tasks/summary")
def summarize_tasks(user: LoggedIn, services: UsesServices) -> Summary:
    """Counts; the week began on Monday, 00:00 UTC."""
    is_open = Task.completed_at.is_(None)
    query = select(
        func.count().filter(is_open).label("open"),
        func.count().filter(Task.completed_at >= monday_of(today())).label("completed_this_week"),
        func.count().filter(is_open, Task.due_on < today()).label("overdue"),
    ).where(Task.user_id == user.id)
    with services.database.begin() as session:
        counts = session.execute(query).one()
    return Summary(**counts._mapping)


@router.post("/api/tasks/{task_id}/complete")
def complete_task(task_id: Id, user: LoggedIn, services: UsesServices) -> TaskOut:
    """Completing a completed task changes nothing."""
    query = select(Task).where(Task.id == task_id, Task.user_id == user.id).with_for_update()
    with services.database.begin() as session:
        if (task := session.scalar(query)) is None:
            raise HTTPException(404, "no such task")
        if newly := task.completed_at is None:
            task.completed_at = now()
            announce(session, user.id, "completed", task.id)
    if newly:
        services.metrics.tasks_completed.inc()
    return TaskOut.model_validate(task)


@router.post("/api/tasks/import", status_code=201)
async def import_tasks(request: Request, user: LoggedIn, services: UsesServices) -> Imported:
    """Read text/plain, one task a line, as it arrives; all of it becomes tasks, or nothing."""
    if not request.headers.get("content-type", "text/plain").startswith("text/plain"):
        raise HTTPException(415, "expected text/plain, one task a line")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_IMPORT_BYTES:
            raise HTTPException(413, f"expected at most {MAX_IMPORT_BYTES} bytes")
    lines = body.decode(errors="replace").split("\n")
    tasks = [task for line in lines if (task := parse_task(line, today()))]
    if tasks:
        await run_in_threadpool(_store, services, user.id, tasks)
    return Imported(imported=len(tasks))


def _store(services: Services, user_id: int, tasks: list[ParsedTask]) -> None:
    rows = [
        {"user_id": user_id, "title": task.title, "due_on": task.due_on, "source": "import"}
        for task in tasks
    ]
    with services.database.begin() as session:
        session.execute(insert(Task), rows)
        announce(session, user_id, "imported")
