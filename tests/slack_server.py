"""A local server that speaks Slack's Web API, as far as we use it, and Socket Mode; with the failures that Slack has.

It refuses what Slack's documentation says that Slack refuses: blocks beyond their limits, unknown threads and tokens.
"""

import asyncio
import json
import uuid
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.waiting import wait_for

TOKEN = "xoxb-for-tests"
APP_TOKEN = "xapp-for-tests"
CHANNEL = "C0TEST"


class SlackServer:
    """One workspace. `failures` are answered first, one a request; a number is a delay in seconds."""

    def __init__(self) -> None:
        self.failures: list[Response | float] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.whispers: list[dict[str, Any]] = []
        self.updates = 0
        self.people: dict[str, str] = {}
        self.files: list[bytes] = []
        self.acknowledged: list[str] = []
        self.sockets: list[WebSocket] = []
        self.url = ""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.app = Starlette(
            routes=[
                Route("/api/{method}", self.answer, methods=["GET", "POST"]),
                Route("/upload", self.upload, methods=["POST"]),
                WebSocketRoute("/socket", self.socket),
            ]
        )

    @property
    def roots(self) -> list[dict[str, Any]]:
        """Return the messages that start a thread, oldest first."""
        return [self.messages[ts] for ts in self.order if not self.messages[ts].get("thread_ts")]

    def thread(self, root: dict[str, Any]) -> list[str]:
        """Return the texts of a thread."""
        found = [self.messages[ts] for ts in self.order]
        return [one["text"] for one in found if one.get("thread_ts") == root["ts"]]

    def newest(self, headline: str) -> dict[str, Any] | None:
        """Return the newest message that starts a thread and has these words in its headline."""
        found = [one for one in self.roots if headline in str(one["blocks"][0]["text"]["text"])]
        return found[-1] if found else None

    def press(self, message: dict[str, Any], user: str) -> str:
        """Press Approve in a message as somebody; return what they are told."""
        actions = next(block for block in message["blocks"] if block["type"] == "actions")
        button = next(one for one in actions["elements"] if one["action_id"] == "approve")
        pressed = {"type": "button", "action_id": "approve", "value": button["value"]}
        who = {"user": {"id": user}, "team": {"id": "T1"}, "channel": {"id": CHANNEL}}
        before = len(self.whispers)
        self.send(str(uuid.uuid4()), {"type": "block_actions", **who, "actions": [pressed]})
        wait_for(lambda: len(self.whispers) > before, "an answer to the press")
        return str(self.whispers[-1]["text"]).replace("\u200b", "")

    async def answer(self, request: Request) -> Response:
        method = request.path_params["method"]
        body = await _fields(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Response):
                return failure
            await asyncio.sleep(failure)
        wanted = APP_TOKEN if method == "apps.connections.open" else TOKEN
        if request.headers.get("authorization") != f"Bearer {wanted}":
            return refusal("invalid_auth")
        handle = getattr(self, method.replace(".", "_"), None)
        return handle(body) if handle else refusal("unknown_method")

    def chat_postMessage(self, body: dict[str, Any]) -> Response:
        if body["channel"] not in (CHANNEL, *self.people.values()):
            return refusal("channel_not_found")
        if body.get("thread_ts") and body["thread_ts"] not in self.messages:
            return refusal("thread_not_found")
        if wrong := bad_blocks(body.get("blocks")):
            return refusal("invalid_blocks", response_metadata={"messages": [wrong]})
        ts = f"1700000000.{len(self.order):06d}"
        self.messages[ts] = {**body, "ts": ts}
        self.order.append(ts)
        return JSONResponse({"ok": True, "ts": ts, "channel": body["channel"]})

    def auth_test(self, body: dict[str, Any]) -> Response:
        return JSONResponse({"ok": True, "team": "Testers", "user": "slipway"})

    def chat_update(self, body: dict[str, Any]) -> Response:
        if body["ts"] not in self.messages:
            return refusal("message_not_found")
        if wrong := bad_blocks(body.get("blocks")):
            return refusal("invalid_blocks", response_metadata={"messages": [wrong]})
        self.updates += 1
        self.messages[body["ts"]] |= body
        return JSONResponse({"ok": True, "ts": body["ts"], "channel": body["channel"]})

    def chat_postEphemeral(self, body: dict[str, Any]) -> Response:
        self.whispers.append(body)
        return JSONResponse({"ok": True, "message_ts": "1.1"})

    def users_lookupByEmail(self, body: dict[str, Any]) -> Response:
        known = self.people.get(body["email"])
        return JSONResponse({"ok": True, "user": {"id": known}}) if known else refusal("users_not_found")

    def files_getUploadURLExternal(self, body: dict[str, Any]) -> Response:
        return JSONResponse({"ok": True, "upload_url": f"{self.url}/upload", "file_id": "F1"})

    def files_completeUploadExternal(self, body: dict[str, Any]) -> Response:
        return JSONResponse({"ok": True, "files": [{"id": "F1"}]})

    async def upload(self, request: Request) -> Response:
        self.files.append(await request.body())
        return Response(status_code=200)

    def apps_connections_open(self, body: dict[str, Any]) -> Response:
        return JSONResponse({"ok": True, "url": f"{self.url.replace('http', 'ws')}/socket"})

    async def socket(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.loop = asyncio.get_running_loop()
        await websocket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}})
        self.sockets.append(websocket)
        try:
            while True:
                self.acknowledged.append((await websocket.receive_json())["envelope_id"])
        except (WebSocketDisconnect, RuntimeError):
            self.sockets.remove(websocket)

    def send(self, envelope: str, payload: dict[str, Any], kind: str = "interactive") -> None:
        """Push an envelope through the newest connection, from any thread."""
        assert self.loop is not None
        text = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": False}
        asyncio.run_coroutine_threadsafe(self.sockets[-1].send_text(json.dumps(text)), self.loop).result(10)

    def hang_up(self) -> None:
        """Close every connection, as Slack does when it moves them."""
        assert self.loop is not None
        for websocket in list(self.sockets):
            asyncio.run_coroutine_threadsafe(websocket.close(), self.loop).result(10)


async def _fields(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        found: dict[str, Any] = json.loads(raw)
    else:
        found = dict(parse_qsl(raw.decode()) if raw else request.query_params.items())
    if isinstance(found.get("blocks"), str):
        found["blocks"] = json.loads(found["blocks"])
    return found


def bad_blocks(blocks: Any) -> str:
    """Say what Slack would refuse in blocks (Slack, "Reference: Blocks"); "" when nothing."""
    if not blocks:
        return ""
    if len(blocks) > 50:
        return "more than 50 blocks"
    for block in blocks:
        texts = {
            "header": [(block.get("text"), 150)],
            "section": [(block.get("text"), 3000), *((one, 2000) for one in block.get("fields", []))],
            "context": [(one, 3000) for one in block.get("elements", [])],
            "actions": [(one["text"], 75) for one in block.get("elements", [])],
        }[block["type"]]
        if len(block.get("fields", [])) > 10:
            return "more than 10 fields"
        for text, longest in texts:
            if text and not 0 < len(text["text"]) <= longest:
                return f"{block['type']}: text of {len(text['text'])} characters"
        for element in block.get("elements", []) if block["type"] == "actions" else []:
            if len(element["value"]) > 2000 or len(element["confirm"]["text"]["text"]) > 300:
                return "button"
    return ""


def refusal(error: str, **more: Any) -> Response:
    return JSONResponse({"ok": False, "error": error, **more})


def rate_limited(retry_after: str = "7") -> Response:
    return JSONResponse({"ok": False, "error": "ratelimited"}, status_code=429, headers={"retry-after": retry_after})


def html(status: int = 500) -> Response:
    return HTMLResponse("<html>oops</html>", status_code=status)
