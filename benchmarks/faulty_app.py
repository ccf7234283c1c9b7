"""A version of the example that behaves until it is told not to: `POST /__fault` with the name of a fault."""

from collections.abc import Sequence

FAULTS = ("errors", "latency", "database")
# Runs inside the bundle, with the app's own packages. Health and metrics tell the truth throughout: a version whose
# every page fails while its health is good is what only the router's figures show.
PROGRAM = """
import asyncio, sys
import uvicorn
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from assistant.main import app

fault = ""

def break_database():
    lost = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing", connect_args={"connect_timeout": 1})
    app.state.services.database.begin = sessionmaker(lost).begin

async def faulty(scope, receive, send):
    global fault
    path = scope.get("path", "")
    if scope["type"] != "http":
        return await app(scope, receive, send)
    if path == "/__fault":
        fault = (await receive())["body"].decode()
        if fault == "database":
            break_database()
        return await answer(send, 204)
    if not path.startswith(("/health", "/metrics")):
        if fault == "errors":
            return await answer(send, 500)
        if fault == "latency":
            await asyncio.sleep(4)
    await app(scope, receive, send)

async def answer(send, status):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})

uvicorn.run(faulty, host="127.0.0.1", port=int(sys.argv[1]), access_log=False)
"""


def command(original: Sequence[str]) -> list[str]:
    """Return the command that starts it instead of the original one."""
    return [original[0], "-c", PROGRAM, "{port}"]
