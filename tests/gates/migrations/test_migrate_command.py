"""What `[run] migrate` says of the tool that it starts."""

import pytest

from gates.migrations.migrate_command import Command, ToolKind, read_command

ALEMBIC, DJANGO, *_ = ToolKind


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("alembic upgrade head", Command(ALEMBIC)),
        ("alembic upgrade heads", Command(ALEMBIC)),
        ("python -m alembic upgrade head", Command(ALEMBIC)),
        ("python3.11 -u -m alembic.config upgrade head", Command(ALEMBIC)),
        ("/app/.venv/bin/python -m alembic upgrade head", Command(ALEMBIC)),
        ("/app/.venv/bin/alembic upgrade head", Command(ALEMBIC)),
        ("uv run --no-sync alembic upgrade head", Command(ALEMBIC)),
        ("poetry run alembic upgrade head", Command(ALEMBIC)),
        ("alembic -c ./db/prod.ini upgrade head", Command(ALEMBIC, "db/prod.ini")),
        ("alembic --config=prod.ini upgrade head", Command(ALEMBIC, "prod.ini")),
        ("alembic -cprod.ini upgrade head", Command(ALEMBIC, "prod.ini")),
        ("alembic -n prod upgrade head", Command(ALEMBIC, section="prod")),
        ("alembic --name=prod upgrade head", Command(ALEMBIC, section="prod")),
        ("alembic -x a=b -x c -q --raiseerr upgrade head", Command(ALEMBIC, arguments=("a=b", "c"))),
        ("flask db upgrade", Command(ALEMBIC, flask=("flask", "db", "upgrade"))),
        ("uv run flask db upgrade heads", Command(ALEMBIC, flask=("flask", "db", "upgrade", "heads"))),
        (
            "python -m flask --app shop db upgrade -d db",
            Command(ALEMBIC, "db/alembic.ini", flask=("flask", "--app", "shop", "db", "upgrade", "-d", "db")),
        ),
        ("python manage.py migrate", Command(DJANGO, "manage.py")),
        ("./src/manage.py migrate --noinput", Command(DJANGO, "src/manage.py")),
        ("python manage.py --settings=a.b -v 2 migrate", Command(DJANGO, "manage.py", arguments=("--settings=a.b",))),
        ("django-admin migrate --settings a.b", Command(DJANGO, arguments=("--settings=a.b",))),
        ("python -m django migrate --database other", Command(DJANGO, arguments=("--database=other",))),
    ],
)
def test_a_plain_command_is_read(line: str, said: Command) -> None:
    assert read_command(line.split()) == said
    assert read_command(["sh", "-c", line]) == read_command(["bash", "-ec", f"exec {line}"]) == said


@pytest.mark.parametrize(
    "line",
    [
        "",
        "python",
        "python -m",
        "python -c pass",
        "python -m app.migrate",
        "./migrate.sh",
        "make migrate",
        "env ALEMBIC_CONFIG=x.ini alembic upgrade head",
        "alembic",
        "alembic -c",
        "alembic --other upgrade head",
        "alembic current",
        "alembic upgrade head --sql",
        "alembic -c a.ini -c pyproject.toml upgrade head",
        "flask run",
        "flask db migrate",
        "flask db upgrade --sql",
        "python manage.py db upgrade",
        "python manage.py migrate_schemas",
        "python manage.py makemigrations",
        "uv run",
    ],
)
def test_any_other_command_tells_nothing(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_command(line.split()) is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "line", ["alembic upgrade head && seed", "cd db; alembic upgrade head", "alembic upgrade $TO", "a 'b"]
)
def test_a_line_of_a_shell_that_does_more_tells_nothing(line: str) -> None:
    assert read_command(["sh", "-c", line]) is None


def test_no_command_says_nothing() -> None:
    assert read_command(None) is None and read_command([]) is None
