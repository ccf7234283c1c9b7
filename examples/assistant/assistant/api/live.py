"""Answers that take their time: the focus timer and the stream of task changes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from assistant.api.deps import LoggedIn, UsesServices

router = APIRouter()


@router.get("/api/focus")
async def focus(
    user: LoggedIn, seconds: Annotated[float, Query(gt=0, le=30)] = 30
) -> dict[str, float]:
    """A long poll: answers when the time is over. No database connection is held meanwhile."""
    await asyncio.sleep(seconds)
    return {"focused_s": seconds}


@router.get("/api/events", response_class=StreamingResponse)
async def events(user: LoggedIn, services: UsesServices) -> StreamingResponse:
    """Server-sent events: `task` with {"change", "task_id"}; "reload": some were missed."""

    async def counted() -> AsyncIterator[str]:
        with services.metrics.streams.track_inprogress():
            async for part in services.broker.stream(user.id):
                yield part

    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)
