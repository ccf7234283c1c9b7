"""Small repositories of many shapes, each with what must be proposed for it."""

from dataclasses import dataclass, field
from typing import Any

HASH = "sha256:" + "0" * 64


def lock(*names: str) -> str:
    """Return a list of requirements with hashes."""
    return "".join(f"{name}==1.0 --hash={HASH}\n" for name in names)


def other_lock(*names: str) -> str:
    """Return a lock of uv, Poetry or PDM, as far as names go."""
    return "version = 1\n" + "".join(f'\n[[package]]\nname = "{name}"\nversion = "1.0"\n' for name in names)


@dataclass(frozen=True)
class Shape:
    """A repository and the values that must stand in its pipeline.toml, by dotted key; "" in `blocks` is none, and no
    block begins with one of `unblocked`.
    """

    files: dict[str, str]
    expected: dict[str, Any]
    settings: dict[str, str] = field(default_factory=dict)
    blocks: tuple[str, ...] = ()
    unblocked: tuple[str, ...] = ()


FLASK = "from flask import Flask\n\ndef create_app():\n    app = Flask(__name__)\n    return app\n"
DJANGO = {
    "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\n"
    "from django.core.management import x\n",
    "site/__init__.py": "",
    "site/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
    "site/asgi.py": "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n",
    "site/urls.py": 'from django.urls import path, include\nurlpatterns = [path("up/", include("site.up"))]\n',
    "site/up.py": 'from django.urls import path\nurlpatterns = [path("", str), path("healthz", str)]\n',
}
MODULE = ["python", "-m"]
PORT = ["--host", "127.0.0.1", "--port", "{port}"]
BIND = ["--bind", "127.0.0.1:{port}", "--keep-alive", "5"]

SHAPES = {
    "flask-migrate, requirements with hashes": Shape(
        {
            "shop.py": "from app import create_app\napp = create_app()\n",
            "app/__init__.py": FLASK,
            "app/health.py": 'from app import bp\n@bp.route("/healthz")\ndef healthz(): return "ok"\n',
            "migrations/alembic.ini": "[alembic]\n",
            "requirements.txt": lock("flask", "flask-migrate", "gunicorn", "psycopg2-binary", "sqlalchemy", "pytest"),
            "tests/test_a.py": "",
        },
        {
            "run.command": [*MODULE, "gunicorn", "shop:app", *BIND],
            "run.migrate": [*MODULE, "flask", "--app", "shop:app", "db", "upgrade"],
            "locks.runtime": "requirements.txt",
            "database.scheme": "postgresql+psycopg2",
            "health.paths": ["/healthz"],
            "suites.tests.command": [*MODULE, "pytest", "-q", "tests"],
            "suites.tests.database": True,
        },
    ),
    "django, poetry": Shape(
        {
            **DJANGO,
            "pyproject.toml": '[tool.poetry]\nname = "site"\n[tool.poetry.dependencies]\npython = "^3.12"\n'
            'django = "*"\n'
            '[tool.poetry.group.dev.dependencies]\npytest = "*"\nblack = "*"\n[tool.black]\nline-length = 100\n',
            "poetry.lock": other_lock("django", "gunicorn", "psycopg", "pytest", "black"),
            "site/tests.py": "",
        },
        {
            "app.python": "3.12",
            "run.command": [*MODULE, "gunicorn", "site.wsgi:application", *BIND],
            "run.migrate": ["python", "manage.py", "migrate", "--noinput"],
            "locks.runtime": "poetry.lock",
            "locks.ci": {"file": "poetry.lock", "groups": ["dev"]},
            "database.scheme": "postgresql",
            "health.paths": ["/up/healthz", "/up/"],
            "quality.black.command": [*MODULE, "black", "--check", "."],
            "suites.tests.environment": {"DJANGO_SETTINGS_MODULE": "site.settings"},
        },
    ),
    "fastapi in a workspace of uv": Shape(
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["backend"]\n',
            "uv.lock": other_lock("fastapi", "uvicorn", "asyncpg", "sqlalchemy", "alembic", "pytest", "ruff"),
            ".python-version": "3.13.2\n",
            "backend/pyproject.toml": '[project]\nname = "api"\ndependencies = ["fastapi"]\n'
            '[dependency-groups]\ndev = ["pytest", "ruff"]\n[tool.ruff]\nline-length = 100\n',
            "backend/alembic.ini": "[alembic]\nscript_location = migrations\n",
            "backend/migrations/env.py": "",
            "backend/app/__init__.py": "",
            "backend/app/config.py": "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n"
            "    API_V1_STR: str = '/api/v1'\n    POSTGRES_SERVER: str\n    POSTGRES_DB: str = ''\n"
            "    POSTGRES_USER: str\n"
            "    POSTGRES_PASSWORD: str = ''\n    SECRET_KEY: str\n    MAIL_FROM: str\nsettings = Settings()\n",
            "backend/app/main.py": "from fastapi import FastAPI\nfrom sqlalchemy.ext.asyncio import AsyncSession\n"
            "from app.api import router\n"
            "from app.config import settings\n"
            "app = FastAPI()\napp.include_router(router, prefix=settings.API_V1_STR)\n",
            "backend/app/api.py": 'from fastapi import APIRouter\nrouter = APIRouter(prefix="/utils")\n'
            '@router.get("/health-check/")\ndef health(): return True\n@router.post("/ping")\ndef ping(): ...\n',
            "backend/tests/unit/test_a.py": "",
            "backend/tests/integration/test_b.py": "",
            ".github/workflows/ci.yml": "jobs:\n  test:\n    steps:\n    - run: uv run ruff check .\n"
            "      working-directory: backend\n",
        },
        {
            "app.directory": "backend",
            "app.python": "3.13",
            "run.command": [*MODULE, "uvicorn", "app.main:app", *PORT],
            "run.migrate": [*MODULE, "alembic", "upgrade", "head"],
            "locks.runtime": {"file": "uv.lock", "package": "api"},
            "locks.ci": {"file": "uv.lock", "package": "api", "groups": ["dev"]},
            "database.scheme": "postgresql+asyncpg",
            "database.variables.POSTGRES_SERVER": "{host}",
            "database.connection": "tcp",
            "database.variables.POSTGRES_DB": "{name}",
            "health.paths": ["/api/v1/utils/health-check/"],
            "suites.unit.command": [*MODULE, "pytest", "-q", "tests/unit"],
            "suites.unit.database": None,
            "suites.integration.database": True,
            "quality.ruff.command": [*MODULE, "ruff", "check", "."],
        },
        {"SECRET_SECRET_KEY": "generated", "REQUIRED_GATES": "ruff,unit,integration,secrets"},
        ("the app needs MAIL_FROM",),
    ),
    "compose with celery": Shape(
        {
            "web/main.py": 'from fastapi import FastAPI\napp = FastAPI()\n@app.get("/health")\ndef h(): ...\n',
            "web/requirements.txt": lock("fastapi", "uvicorn", "celery", "pytest", "redis"),
            "web/worker.py": "import os\nBROKER = os.environ.get('CELERY_BROKER_URL', 'redis://localhost')\n",
            "web/tests/test_a.py": "",
            "web/Dockerfile": "FROM python:3.12-slim AS base\nFROM base AS production\n",
            "docker-compose.yml": "services:\n"
            "  web: {build: {context: web, target: production}, ports: ['8000:8000'], depends_on: {init: "
            "{condition: service_completed_successfully}}}\n"
            "  worker: {build: web, command: celery -A app worker}\n  beat: {build: web, command: celery -A app beat}\n"
            "  redis: {image: 'redis:7'}\n  init: {build: web, command: python fill.py}\n"
            "  proxy: {image: 'nginx:1'}\n",
        },
        {
            "app.directory": "web",
            "app.python": "3.12",
            "run.command": [*MODULE, "uvicorn", "main:app", *PORT],
            "image.compose.production": "docker-compose.yml",
            "suites.tests.redis": True,
            "suites.tests.environment": {"CELERY_BROKER_URL": "{REDIS_URL}"},
        },
        {"RUNTIME": "compose"},
        blocks=("services without a label slipway.role: web, worker, beat, redis, proxy",),
    ),
    "litestar below src": Shape(
        {
            "pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.12"\ndependencies = ["litestar"]\n'
            '[project.optional-dependencies]\ntest = ["pytest"]\n',
            "uv.lock": other_lock("litestar", "granian", "pytest"),
            "src/pkg/__init__.py": "",
            "src/pkg/asgi.py": "from litestar import Litestar\nfrom pkg.routes import Health\n"
            "def create_app() -> Litestar:\n    return Litestar([Health])\n",
            "src/pkg/routes.py": "from litestar import Controller, get\nclass Health(Controller):\n"
            "    path = '/system'\n"
            "    @get('/health')\n    async def health(self) -> str: ...\n",
            "tests/test_a.py": "",
        },
        {
            "app.python": "3.12",
            "run.command": [
                *(*MODULE, "granian", "--interface", "asgi", *PORT, "--factory", "--working-dir", "src"),
                "pkg.asgi:create_app",
            ],
            "locks.ci": {"file": "uv.lock", "extras": ["test"]},
            "health.paths": ["/system/health"],
        },
    ),
    "starlette, plain pip without versions": Shape(
        {
            "app.py": "from starlette.applications import Starlette\nfrom starlette.routing import Route\n"
            "app = Starlette(routes=[Route('/up', str)])\n",
            "requirements.txt": "starlette\nhypercorn\n",
            "requirements-dev.txt": "-r requirements.txt\npytest\n",
            "test_app.py": "",
        },
        {
            "run.command": [*MODULE, "hypercorn", "app:app", "--bind", "127.0.0.1:{port}"],
            "locks.runtime": "requirements.lock",
            "locks.ci": "requirements-dev.lock",
            "health.paths": ["/up"],
            "suites.tests.command": [*MODULE, "pytest", "-q", "test_app.py"],
        },
        {"DATABASE": "none"},
        ("requirements.txt is no lock", "requirements-dev.txt is no lock"),
    ),
    "aiohttp, pipenv": Shape(
        {
            "Pipfile": "[requires]\npython_version = '3.11'\n",
            "Pipfile.lock": '{"default": {"aiohttp": {}, "gunicorn": {}}, "develop": {"pytest": {}}}',
            "service/main.py": "from aiohttp import web\nasync def make_app():\n    app = web.Application()\n"
            "    app.router.add_get('/ping', str)\n    return app\n",
        },
        {
            "run.command": [
                *(*MODULE, "gunicorn", "service.main:make_app", *BIND, "--worker-class", "aiohttp.GunicornWebWorker"),
            ],
            "locks.ci": {"file": "Pipfile.lock", "groups": ["dev"]},
            "health.paths": ["/ping"],
        },
    ),
    "procfile, pdm, tox": Shape(
        {
            "Procfile": "web: gunicorn 'shop.web:make()' --workers 3\nworker: celery -A shop worker\n"
            "clock: python clock.py\n"
            "release: flask db upgrade\n",
            "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["flask"]\n',
            "pdm.lock": other_lock("flask", "gunicorn", "celery", "pytest", "mypy"),
            "shop/web.py": "from flask import Flask\ndef make():\n    app = Flask('x')\n"
            "    app.add_url_rule('/alive', view_func=str)\n    return app\ndef other():\n    return Flask('y')\n",
            "tox.ini": "[testenv]\ncommands =\n    coverage run -m pytest checks -m 'not slow'\n    mypy shop\n",
            "checks/test_a.py": "",
        },
        {
            "run.command": [*MODULE, "gunicorn", "shop.web:make()", *BIND],
            "run.processes.worker": {"command": ["celery", "-A", "shop", "worker"], "role": "slot"},
            "run.processes.clock.role": "singleton",
            "suites.checks.command": [*MODULE, "pytest", "-q", "-m", "not slow", "checks"],
            "quality.mypy.command": [*MODULE, "mypy", "shop"],
            "quality.mypy.inputs": ["shop/**", "pyproject.toml", "setup.cfg", "tox.ini"],
        },
    ),
    "kamal, environment and frontend": Shape(
        {
            "config/deploy.yml": "service: shop\nimage: me/shop\nservers:\n  web: {hosts: [a]}\n"
            "  job: {hosts: [a], cmd: python -m jobs}\nproxy:\n  healthcheck: {path: /lives}\n"
            "env:\n  clear: {LEVEL: high}\n  secret: [MAIL_TOKEN]\n",
            "app.py": "import os\nfrom flask import Flask\napp = Flask('x')\nkey = os.environ['API_BASE']\n"
            "if 'PROXY' in os.environ:\n    proxy = os.environ['PROXY']\n",
            ".env.example": "API_BASE=https://api.internal\nCOLOUR=red\n",
            "requirements.lock": lock("flask", "waitress"),
            "ui/package.json": '{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "1", "eslint": "1"}}',
            "ui/package-lock.json": "{}",
        },
        {
            "run.command": [*MODULE, "waitress", "--listen=127.0.0.1:{port}", "app:app"],
            "run.processes.job.command": ["python", "-m", "jobs"],
            "health.paths": ["/lives"],
            "build": [
                {
                    "name": "ui",
                    "directory": "ui",
                    "commands": [["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]],
                    "inputs": ["ui"],
                    "outputs": ["ui/dist"],
                }
            ],
            "quality.eslint-ui.runtime": "node",
        },
        {
            "APP_API_BASE": "https://api.internal",
            "APP_LEVEL": "high",
            "SECRET_MAIL_TOKEN": "file:/etc/slipway/mail_token",
        },
        ("the app needs MAIL_TOKEN",),
    ),
    "flask on mysql": Shape(
        {
            "app.py": FLASK,
            "config.py": "import os\nurl = os.environ['REDIS_URL']\nhost = os.environ['MYSQL_DB_HOST']\n"
            "name = os.environ['MYSQL_DB_NAME']\n",
            "requirements.txt": lock("flask", "gunicorn", "sqlalchemy", "pymysql", "pytest"),
            "tests/test_a.py": "",
        },
        {
            "database.scheme": "mysql+pymysql",
            "database.variables": {"MYSQL_DB_HOST": "{host}", "MYSQL_DB_NAME": "{name}"},
            "suites.tests.database": True,
        },
        {"DATABASE": "external", "DATABASE_URL": "file:/etc/slipway/development/database_url"},
        ("the app needs a MySQL or MariaDB server, which Slipway has not",),
    ),
    "django on mariadb": Shape(
        {**DJANGO, "requirements.txt": lock("django", "gunicorn", "mysqlclient")},
        {"database.scheme": "mysql", "run.migrate": ["python", "manage.py", "migrate", "--noinput"]},
        {"DATABASE": "external"},
    ),
    "everything that one file can say": Shape(
        {
            "requirements.lock": lock("fastapi", "uvicorn", "psycopg", "sqlalchemy", "alembic"),
            "requirements-dev.lock": lock("fastapi", "uvicorn", "psycopg", "pytest", "flake8", "pyright"),
            "alembic.ini": "[alembic]\nscript_location = migrations\n",
            "migrations/env.py": "",
            "api.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/healthz')\ndef health(): ...\n",
            "tests/test_api.py": "",
            ".flake8": "[flake8]\nmax-line-length = 100\n",
            "pyrightconfig.json": "{}",
            ".gitlab-ci.yml": "test:\n  script:\n    - poetry run flake8 api.py tests\n    - pytest tests --cov=api\n",
        },
        {
            "run.command": [*MODULE, "uvicorn", "api:app", *PORT],
            "run.migrate": [*MODULE, "alembic", "upgrade", "head"],
            "locks": {"runtime": "requirements.lock", "ci": "requirements-dev.lock"},
            "quality.flake8.command": [*MODULE, "flake8", "api.py", "tests"],
            "quality.pyright.command": [*MODULE, "pyright"],
            "suites.tests.command": [*MODULE, "pytest", "-q", "tests"],
            "suites.tests.database": True,
            "database": None,
        },
    ),
    "litestar whose revisions run through the app": Shape(
        {
            "uv.lock": other_lock("litestar", "uvicorn", "asyncpg", "alembic", "advanced-alchemy", "pytest", "ruff"),
            "pyproject.toml": "[project]\nname = 'shop'\n[tool.ruff]\nline-length = 100\n[tool.codespell]\n",
            ".pre-commit-config.yaml": "repos:\n- repo: x\n  hooks:\n  - id: codespell\n",
            "src/shop/db/migrations/alembic.ini": "[alembic]\nscript_location = migrations\n",
            "src/shop/db/migrations/env.py": "",
            "src/shop/asgi.py": "from litestar import Litestar\ndef create_app() -> Litestar:\n    return Litestar()\n",
            "src/shop/__init__.py": "",
        },
        {
            "run.migrate": [
                *("litestar", "--app", "shop.asgi:create_app", "--app-dir", "src"),
                *("database", "upgrade", "--no-prompt"),
            ],
            "migrations.kind": "none",
            "quality.codespell": None,
            "quality.ruff.command": [*MODULE, "ruff", "check", "."],
        },
    ),
    "alembic whose revisions lie elsewhere": Shape(
        {
            "requirements.lock": lock("fastapi", "uvicorn", "psycopg", "alembic", "pytest"),
            "db/alembic.ini": "[alembic]\nscript_location = revisions\n",
            "db/revisions/env.py": "",
            "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        },
        {"run.migrate": None},
        blocks=("db/alembic.ini: its script_location means revisions, where no env.py is",),
    ),
    "alembic beside its own configuration": Shape(
        {
            "requirements.lock": lock("fastapi", "uvicorn", "psycopg", "alembic", "pytest"),
            "db/alembic.ini": "[alembic]\nscript_location = %(here)s/revisions\n",
            "db/revisions/env.py": "",
            "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        },
        {"run.migrate": [*MODULE, "alembic", "-c", "db/alembic.ini", "upgrade", "head"]},
    ),
    "django-environ with a scheme": Shape(
        {
            "requirements.lock": lock("django", "django-environ", "gunicorn", "pytest"),
            "manage.py": "DEFAULTS = {'DJANGO_SETTINGS_MODULE': 'shop.settings'}\n",
            "tests/test_shop.py": "",
            "shop/__init__.py": "",
            "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\n"
            "application = get_wsgi_application()\n",
            "shop/settings.py": "import environ\nenv = environ.Env(DEBUG=(bool, False), PERIOD=(int, 5))\n"
            "DEBUG = env('DEBUG')\nPERIOD = env('PERIOD')\nSITE_NAME = env('SITE_NAME')\n"
            "if DEBUG:\n    SECRET_KEY = 'x'\nelse:\n    SECRET_KEY = env('SECRET_KEY')\n",
        },
        {
            "run.migrate": ["python", "manage.py", "migrate", "--noinput"],
            "suites.tests.environment.DJANGO_SETTINGS_MODULE": "shop.settings",
        },
        {"SECRET_SECRET_KEY": "generated"},
        blocks=("the app needs SITE_NAME",),
        unblocked=("the app needs DEBUG", "the app needs PERIOD"),
    ),
    "an address that pydantic checks": Shape(
        {
            "requirements.lock": lock("fastapi", "uvicorn", "asyncpg", "sqlalchemy", "pydantic-settings", "pytest"),
            "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
            "engine.py": "from sqlalchemy.ext.asyncio import create_async_engine\n",
            "settings.py": "from pydantic import PostgresDsn\nfrom pydantic_settings import BaseSettings\n"
            "class Settings(BaseSettings):\n    database_url: PostgresDsn\n",
        },
        {"database.scheme": "postgresql+asyncpg", "database.connection": "tcp"},
        {"DATABASE_PORT": "15432"},
    ),
    "asyncpg by itself, beside alembic, and settings over three files": Shape(
        {
            "requirements.lock": lock("fastapi", "uvicorn", "asyncpg", "sqlalchemy", "alembic", "pydantic", "pytest"),
            "alembic.ini": "[alembic]\nscript_location = migrations\n",
            "migrations/env.py": "from sqlalchemy import engine_from_config\n",
            "app/main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
            "app/settings/base.py": "from pydantic import BaseSettings\n"
            "class Base(BaseSettings):\n    debug: bool = False\n",
            "app/settings/app.py": "from pydantic import SecretStr\nfrom app.settings.base import Base\n"
            "class Settings(Base):\n    secret_key: SecretStr\n",
            "app/settings/production.py": "from app.settings.app import Settings\n"
            "class Production(Settings):\n    token_secret: str\n",
        },
        {"database.scheme": "postgresql", "database.connection": None},
        {"SECRET_SECRET_KEY": "generated", "SECRET_TOKEN_SECRET": "generated"},
    ),
    "django whose tests make a database": Shape(
        {
            "requirements.lock": lock("django", "psycopg", "gunicorn", "pytest", "pytest-django"),
            "manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
            "shop/__init__.py": "",
            "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\n"
            "application = get_wsgi_application()\n",
            "tests/test_shop.py": "",
            "shop/migrations/0001_a.py": "operations = [TrigramExtension(), CreateExtension('postgis')]\n",
            "shop/migrations/0002_b.sql": 'CREATE  EXTENSION IF NOT EXISTS "uuid-ossp";\ncreate extension plpgsql;\n',
            "shop/migrations/0003_c.py": "class Extension: pass\n",
        },
        {
            "suites.tests.command": [*MODULE, "pytest", "-q", "--reuse-db", "tests"],
            "suites.tests.prepare": [],
            "database.extensions": ["pg_trgm", "postgis", "uuid-ossp"],
            "suites.tests.database": True,
        },
    ),
    "an app beside its worker's": Shape(
        {
            "requirements.lock": lock("flask", "gunicorn", "alembic", "pytest"),
            "shop/__init__.py": "",
            "shop/app.py": "from flask import Flask\nfrom shop.extensions import alembic\n"
            "def create_app(config=None):\n    return Flask(__name__)\n",
            "celery_worker.py": "from shop.app import create_app\napp = create_app()\n",
            "wsgi.py": "from shop.app import create_app\nshop = create_app()\n",
        },
        {"run.command": [*MODULE, "gunicorn", "wsgi:shop", "--bind", "127.0.0.1:{port}", "--keep-alive", "5"]},
    ),
    "a list of checks without the app's own": Shape(
        {
            "requirements.txt": lock("flask", "gunicorn"),
            "requirements-dev.txt": "-c requirements.txt\n" + lock("pytest", "mypy"),
            "app.py": "from flask import Flask\napp = Flask(__name__)\n",
        },
        {"locks": {"runtime": "requirements.txt", "ci": "requirements-checks.lock"}},
        blocks=("requirements-dev.txt has not the app's own packages: flask, gunicorn",),
    ),
    "django without a settings module": Shape(
        {
            "requirements.lock": lock("django", "gunicorn", "pytest", "pytest-django"),
            "manage.py": "from django.core.management import execute_from_command_line\n",
            "shop/__init__.py": "",
            "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\n"
            "application = get_wsgi_application()\n",
            "shop/settings/base.py": "",
            "tests/test_shop.py": "",
        },
        {"suites.tests.environment": None},
        blocks=("the app needs DJANGO_SETTINGS_MODULE",),
    ),
}
