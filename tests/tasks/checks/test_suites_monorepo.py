"""An app in a folder of its repository: its suites start there, and all that is told of them begins at the top."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from control.plane import Control
from gates.check import Check, Outcome
from gates.checks.coverage import TOTAL
from host.home import Home
from settings.pipeline import Pipeline
from tasks.checks.coverage import look_at_coverage, read_seen
from tasks.checks.suites import look_at_suite
from tasks.source.workspace import Looked, Workspace
from tests.tasks.small_app import FEWER_PLUGINS, App

MADE = "CREATE TABLE people (a int)"
UNIT = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit")
CONNECT = """\
import os, psycopg
def connect():
    return psycopg.connect(os.environ["DATABASE_URL"].replace("postgresql+psycopg", "postgresql", 1), autocommit=True)
"""
FILES: Mapping[str, str] = {
    "pyproject.toml": "[tool.pytest.ini_options]\nxfail_strict = true\n",
    "frontend/index.html": "<p>shop</p>\n",
    "shared/strict.py": "def strict():\n    raise ValueError('too strict')\n",
    "backend/shop/__init__.py": "",
    "backend/shop/price.py": "def price():\n    return 3\n\n\ndef never():\n    return 4\n",
    "backend/tests/unit/test_price.py": (
        "from shop.price import price\n\n\ndef test_price():\n    assert price() == 3\n"
    ),
    "backend/shop/database.py": CONNECT,
    "backend/migrate.py": (
        "import sys\nfrom shop.database import connect\n\nwith connect() as connection:\n"
        "    connection.execute(sys.argv[1])\nprint('at the newest')\n"
    ),
}
ROWS = "from shop.database import connect\n\n\ndef test_rows():\n    connect().execute('SELECT * FROM people')\n"


def pipeline(**suite: Any) -> Pipeline:
    given = {"command": UNIT, "timeout_seconds": 60, "environment": FEWER_PLUGINS, **suite}
    return Pipeline.model_validate(
        {
            "app": {"name": "shop", "repository": "unused", "directory": "backend"},
            "locks": {"runtime": "unused", "ci": "unused"},
            "run": {
                "command": ["python", "-m", "shop"],
                "migrate": ["python", "migrate.py", "CREATE TABLE people (a int)"],
            },
            "suites": {"unit": given},
            "coverage": {"covers": ["backend/shop/price.py"]},
        }
    )


def look(app: App, plan: Pipeline) -> tuple[Workspace, Looked]:
    workspace = app.workspace()
    suite = plan.suites["unit"]
    return workspace, look_at_suite("unit", suite, workspace, plan.coverage, None, plan.preparation("unit"))


def check(app: App, **suite: Any) -> Check:
    return look(app, pipeline(**suite))[1].check


def test_tests_and_covered_files_are_told_from_the_top(app: App) -> None:
    app.commit(FILES)
    plan = pipeline()
    workspace, looked = look(app, plan)
    assert (looked.check.outcome, looked.check.notes) == (Outcome.PASSED, ()), looked.check
    assert json.loads(looked.files["tests"].read_bytes()) == ["backend/tests/unit/test_price.py::test_price"]
    judged = look_at_coverage(plan, workspace, {"unit": looked.files["coverage"]})
    seen = read_seen(judged)
    assert seen is not None and isinstance(seen.total, tuple)
    assert [(one.path, one.covered, one.statements) for one in seen.total] == [("backend/shop/price.py", 3, 4)]
    assert next(one.value for one in judged.check.measures if one.name == TOTAL) == 75


def test_failures_have_their_place_and_known_flaky_ones_are_repeated(app: App) -> None:
    tests = {
        "backend/tests/unit/test_bad.py": (
            "import sys\nsys.path.append('../shared')\nfrom strict import strict\n\n\ndef test_bad():\n    strict()\n"
        ),
        "backend/tests/unit/test_flaky.py": (
            "import os, pathlib\n\n\ndef test_flaky():\n    tried = pathlib.Path(os.environ['HOME'], 'tried')\n"
            "    before = tried.exists()\n    tried.touch()\n    assert before\n"
        ),
    }
    app.commit({**FILES, **tests})
    flaky = "backend/tests/unit/test_flaky.py::test_flaky"
    found = check(app, known_flaky=(flaky,), retries=1)
    assert (found.outcome, found.examined) == (Outcome.FAILED, "3 tests")
    assert [(one.rule, one.file, one.line) for one in found.findings] == [
        ("backend/tests/unit/test_bad.py::test_bad", "shared/strict.py", 2)
    ]
    assert found.notes[0].startswith(f"flaky: {flaky} failed, then passed on retry 1")


def test_a_suite_may_have_a_folder_of_its_own(app: App) -> None:
    app.commit({**FILES, "e2e/test_all.py": "import os\n\n\ndef test_all():\n    assert os.path.isdir('../backend')\n"})
    found = check(app, command=(*UNIT[:-1], "."), directory="e2e")
    assert (found.outcome, found.reason) == (Outcome.PASSED, "1 passed")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "print('one')\nprint('two')\nraise SystemExit('no table: ' + os.environ['API_TOKEN'])",
            "one | two | no table: ***",
        ),
        ("os._exit(3)", "ended with 3: it printed nothing"),
    ],
    ids=["says-why", "says-nothing"],
)
def test_what_prepares_a_suite_and_fails_is_its_first_line(script: str, said: str, app: App) -> None:
    app.commit({**FILES, "backend/ready.py": f"import os\n{script}\n"})
    environment = {**FEWER_PLUGINS, "API_TOKEN": "something-secret"}
    found = check(app, prepare=("python", "ready.py"), environment=environment)
    assert found.outcome is Outcome.NO_VERDICT
    assert found.reason.startswith("prepare failed: python ready.py ended with ") and said in found.reason


def test_what_prepares_a_suite_shares_its_folder_and_is_not_measured(app: App) -> None:
    ready = "from shop.price import never\nopen('ready', 'w').write(str(never()))\n"
    test = "def test_ready():\n    assert open('ready').read() == '4'\n"
    app.commit({**FILES, "backend/ready.py": ready, "backend/tests/unit/test_ready.py": test})
    plan = pipeline(prepare=("python", "ready.py"))
    workspace, looked = look(app, plan)
    assert looked.check.outcome is Outcome.PASSED, looked.check.reason
    judged = look_at_coverage(plan, workspace, {"unit": looked.files["coverage"]})
    assert next(one.value for one in judged.check.measures if one.name == TOTAL) == 75


@pytest.fixture
def control(home: Any) -> Iterator[None]:
    Home.find().create()
    made = Control(Home.find())
    made.supervisor.up()
    yield
    made.supervisor.down()


@pytest.mark.usefixtures("control")
def test_a_suite_with_a_database_is_migrated_unless_it_says_otherwise(app: App) -> None:
    app.commit({**FILES, "backend/tests/unit/test_rows.py": ROWS})
    good = check(app, database=True)
    assert (good.outcome, good.reason) == (Outcome.PASSED, "2 passed")
    bare = check(app, database=True, prepare=())
    assert bare.outcome is Outcome.FAILED and 'relation "people" does not exist' in bare.reason
    broken = check(app, database=True, prepare=("python", "migrate.py", "CREATE nothing"))
    assert broken.outcome is Outcome.NO_VERDICT and "syntax error" in broken.reason
    assert "postgresql" not in broken.reason
