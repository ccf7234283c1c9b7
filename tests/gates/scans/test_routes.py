import ast
import runpy

import pytest

from gates.scans.routes import Asks, Facts, Guard, Guards, counted_guards
from tasks.scans.routes import PROGRAM

FILE = runpy.run_path(str(PROGRAM))["File"]


def facts(text: str) -> Facts:
    file = FILE()
    file.visit(ast.parse(text))
    return Facts.model_validate({name: getattr(file, name) for name in Facts.model_fields})


def asks(files: dict[str, str], file: str = "app/items.py", router: str = "router") -> Asks:
    return Guards({name: facts(text) for name, text in files.items()}).of(file, router).asks


ROUTER = "from fastapi import APIRouter\nrouter = APIRouter()\n"
MAIN = (
    "from fastapi import Depends, FastAPI\nfrom app import items\napp = FastAPI()\napp.include_router(items.router)\n"
)
BODY = """
    if not request.headers.get("authorization"):
        return JSONResponse({}, 401)
    return await call_next(request)
"""
DENY = "def deny():\n  if not current_user: abort(401)\n"
CLASS = f"class Gate(BaseHTTPMiddleware):\n  async def dispatch(self, request, call_next):{BODY}"


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        # a whole app
        ({"app/main.py": MAIN.replace("FastAPI()", "FastAPI(dependencies=[Depends(current_user)])")}, Asks.YES),
        ({"app/main.py": MAIN.replace("FastAPI()", "FastAPI(dependencies=[Security(api_key)])")}, Asks.YES),
        ({"app/main.py": MAIN.replace("FastAPI()", "FastAPI(dependencies=[Depends(get_db)])")}, Asks.NO),
        ({"app/main.py": MAIN + f"@app.middleware('http')\nasync def gate(request, call_next):{BODY}"}, Asks.YES),
        ({"app/main.py": MAIN + CLASS + "app.add_middleware(Gate)\n"}, Asks.YES),
        ({"app/main.py": MAIN + "app.add_middleware(Gate)\n", "app/gate.py": CLASS}, Asks.YES),
        ({"app/main.py": MAIN.replace("FastAPI()", "FastAPI(middleware=[Middleware(Gate)])") + CLASS}, Asks.YES),
        ({"app/main.py": MAIN + "app.add_middleware(CORSMiddleware, allow_origins=[])\n"}, Asks.NO),
        ({"app/main.py": MAIN + "app.add_middleware(SessionMiddleware)\n"}, Asks.NO),
        ({"app/main.py": MAIN + "app.add_middleware(CompanyGate)\n"}, Asks.PERHAPS),
        ({"app/main.py": MAIN + "app.add_middleware(AuthenticationMiddleware, backend=Own())\n"}, Asks.PERHAPS),
        ({"app/main.py": MAIN + "@app.middleware('http')\nasync def time(r, n):\n  return await n(r)\n"}, Asks.NO),
        (
            {
                "app/main.py": MAIN
                + "@app.middleware('http')\nasync def db(r, n):\n  r.session = 1\n  return await n(r)\n"
            },
            Asks.NO,
        ),
        (
            {
                "app/main.py": MAIN
                + "@app.middleware('http')\nasync def a(r, n):\n  await verify_token(r)\n  return n\n"
            },
            Asks.PERHAPS,
        ),
        # its router
        ({"app/main.py": MAIN.replace("items.router", "items.router, dependencies=[Depends(get_user)]")}, Asks.YES),
        ({"app/main.py": MAIN.replace("items.router", "items.router, dependencies=[Depends(get_db)]")}, Asks.NO),
        (
            {"app/items.py": "router = APIRouter(dependencies=[Depends(require_admin)])\n", "app/main.py": MAIN},
            Asks.YES,
        ),
        (
            {
                "app/main.py": MAIN.replace("include_router(items.router)", "include_router(api)").replace(
                    "app import items", "app.api import api"
                ),
                "app/api.py": "from .items import router as items\napi = APIRouter(dependencies=[Depends(user)])\n"
                "api.include_router(items, prefix='/items')\n",
            },
            Asks.YES,
        ),
        ({"app/main.py": MAIN + "app.include_router(items.router, dependencies=[Depends(get_user)])\n"}, Asks.NO),
        ({"app/main.py": MAIN, "app/other.py": "router = APIRouter(dependencies=[Depends(user)])\n"}, Asks.NO),
        # Flask
        ({"app/main.py": f"app = Flask('a')\n@app.before_request\ndef gate():{BODY.replace('await ', '')}"}, Asks.YES),
        (
            {
                "app/main.py": "app = Flask('a')\ndef gate():\n  if 'user' not in session:\n    return redirect('/x')\n"
                "app.before_request(gate)\n"
            },
            Asks.YES,
        ),
        ({"app/main.py": "app = Flask('a')\n@app.before_request\ndef begin():\n  g.start = time()\n"}, Asks.NO),
        (
            {"app/items.py": "router = Blueprint('a')\n@router.before_request\n" + DENY},
            Asks.YES,
        ),
        (
            {"app/main.py": "other = Blueprint('a')\n@other.before_request\n" + DENY},
            Asks.NO,
        ),
        # Django and django-ninja
        ({"app/settings.py": "MIDDLEWARE = ['django.contrib.auth.middleware.LoginRequiredMiddleware']\n"}, Asks.YES),
        ({"app/settings.py": "MIDDLEWARE = ['django.contrib.auth.middleware.AuthenticationMiddleware']\n"}, Asks.NO),
        ({"app/settings.py": "MIDDLEWARE = ['django.middleware.common.CommonMiddleware']\n"}, Asks.NO),
        ({"app/settings.py": "MIDDLEWARE += ['their.TokenRequiredMiddleware']\n"}, Asks.PERHAPS),
        ({"app/items.py": "router = NinjaAPI(auth=HttpBearer())\n"}, Asks.YES),
        # several apps: whose it is can be told where the router is seen to be included
        (
            {"app/main.py": MAIN + CLASS + "app.add_middleware(Gate)\n", "other/main.py": "app = FastAPI()\n"},
            Asks.YES,
        ),
        (
            {
                "app/main.py": "app = FastAPI()\n" + CLASS + "app.add_middleware(Gate)\n",
                "other/main.py": "app = FastAPI()\n",
            },
            Asks.PERHAPS,
        ),
        # includes itself
        ({"app/items.py": ROUTER + "router.include_router(router)\n"}, Asks.NO),
        ({}, Asks.NO),
    ],
)
def test_what_asks_before_a_route(files: dict[str, str], answer: Asks) -> None:
    assert asks({"app/items.py": ROUTER, **files}) is answer


def test_a_guard_is_told_once_with_its_routes() -> None:
    guard = Guard("Gate", "app/main.py", 5, Asks.YES)
    assert counted_guards([guard, guard]) == ["2 routes stand behind Gate (app/main.py:5), which asks who calls"]
    assert counted_guards([]) == []


def test_imports_of_an_app_in_a_folder_begin_there() -> None:
    text = "from fastapi import Depends\nfrom app.keys import router\nrouter.include_router(router)\n"
    keys = "from fastapi import APIRouter, Depends\nrouter = APIRouter({})\n"
    files = {
        "backend/app/items.py": text,
        "backend/app/keys.py": keys.format("dependencies=[Depends(current_user)]"),
        "billing/app/keys.py": keys.format(""),
    }
    read = {name: facts(text) for name, text in files.items()}
    assert Guards(read, "backend").of("backend/app/items.py", "router").asks is Asks.YES
    assert Guards(read, "billing").of("backend/app/items.py", "router").asks is Asks.NO
