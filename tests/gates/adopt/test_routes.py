"""Which paths answer anybody, as far as the files tell."""

import pytest

from gates.adopt.python_source import Source, read_source
from gates.adopt.routes import Routes

FLASK = """
from flask import Blueprint, Flask
from flask_login import login_required
bp = Blueprint("auth", __name__, url_prefix="/auth")
app = Flask(__name__)
app.register_blueprint(bp)

@app.route("/")
@login_required
def index(): ...

@bp.route("/login", methods=["GET", "POST"])
def login(): ...
"""
DJANGO = """
from django.contrib import admin
from django.contrib.auth.mixins import LoginRequiredMixin
from django.urls import path
from rest_framework.permissions import IsAuthenticated

class Start(LoginRequiredMixin, View): ...
class Status(APIView):
    permission_classes = [IsAuthenticated]
class Feed(WebsocketConsumer): ...

urlpatterns = [
    path("", Start.as_view()),
    path("api/status/", Status.as_view()),
    path("ws/status/", Feed.as_asgi()),
    path("admin/", admin.site.urls),
]
"""
FASTAPI = """
from fastapi import Depends, FastAPI
app = FastAPI()

@app.get("/ping")
def ping(user=Depends(get_current_user)): ...

@app.get("/status")
def status(user: CurrentUser): ...

@app.websocket("/live")
async def live(socket): ...
"""


def routes(text: str) -> Routes:
    source = read_source("app.py", text)
    assert isinstance(source, Source)
    return Routes([source])


@pytest.mark.parametrize("text", [FLASK, DJANGO, FASTAPI], ids=["flask", "django", "fastapi"])
def test_a_route_that_asks_for_a_login_or_speaks_no_http_is_no_health_path(text: str) -> None:
    assert routes(text).health() == []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (FLASK, ["/auth/login"]),
        (DJANGO, ["/admin/login/"]),
        (FLASK.replace("@login_required\n", ""), ["/", "/auth/login"]),
    ],
    ids=["login-of-flask", "admin-of-django", "start-page"],
)
def test_without_a_health_route_the_start_page_or_a_login_page_is_offered(text: str, paths: list[str]) -> None:
    assert [one.path for one in routes(text).front()] == paths


@pytest.mark.parametrize(
    "handler",
    ["def health(): ...", "def health(session: SessionDep): ...", "def health(request, login_url='/x'): ..."],
    ids=["plain", "dependency", "unrelated-name"],
)
def test_an_open_health_route_is_found(handler: str) -> None:
    found = routes(f"app = FastAPI()\n@app.get('/health')\n{handler}\n").health()
    assert [one.path for one in found] == ["/health"]
