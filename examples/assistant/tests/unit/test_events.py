import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from assistant import events
from assistant.events import Broker


async def read(stream: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(stream), 5)


def change(user_id: int | None, task_id: int) -> str:
    return json.dumps({"user_id": user_id, "change": "created", "task_id": task_id})


def test_a_change_reaches_its_user_only() -> None:
    async def scenario() -> None:
        broker = Broker()
        mine, theirs = broker.stream(1), broker.stream(2)
        await read(mine)
        await read(theirs)
        broker.publish(change(1, 10))
        broker.publish(change(2, 20))
        assert '"task_id": 10' in await read(mine)
        assert '"task_id": 20' in await read(theirs)
        broker.publish(change(None, 30))
        assert '"task_id": 30' in await read(mine)
        assert "user_id" not in await read(theirs)

    asyncio.run(scenario())


def test_a_quiet_stream_has_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)

    async def scenario() -> None:
        stream = Broker().stream(1)
        await read(stream)
        assert await read(stream) == ": heartbeat\n\n"

    asyncio.run(scenario())


def test_closing_ends_streams_at_once_and_forgets_them() -> None:
    async def scenario() -> None:
        broker = Broker()
        stream = broker.stream(1)
        await read(stream)
        broker.close()
        with pytest.raises(StopAsyncIteration):
            await read(stream)
        assert [part async for part in broker.stream(2)] == ["retry: 1000\n: connected\n\n"]
        broker.publish(change(1, 1))
        assert not broker._queues

    asyncio.run(scenario())
