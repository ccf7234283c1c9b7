import pytest

from gates.scans.entrypoints import migration_in, scripts_in, words_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alembic upgrade head", "alembic upgrade"),
        (
            "python -m alembic -c app/alembic.ini upgrade head && exec uvicorn app:app",
            "alembic -c app/alembic.ini upgrade",
        ),
        ("#!/bin/sh\nset -e\nalembic \\\n  upgrade head\nexec $@", "alembic upgrade"),
        ("python manage.py migrate --noinput", "manage.py migrate"),
        ("./manage.py  migrate", "manage.py migrate"),
        ("django-admin migrate", "django-admin migrate"),
        ("python -m django migrate", "-m django migrate"),
        ("flask db upgrade", "flask db upgrade"),
        ("flask --app shop:create db upgrade", "flask --app shop:create db upgrade"),
        ("aerich upgrade", "aerich upgrade"),
        ("npx prisma migrate deploy", "prisma migrate deploy"),
        ("flyway -url=jdbc:x migrate", "flyway -url=jdbc:x migrate"),
        ("yoyo apply --batch", "yoyo apply"),
        ("# alembic upgrade head\nexec uvicorn app:app", None),
        ("exec uvicorn app:app # no alembic upgrade here", None),
        ("alembic current", None),
        ("alembic check && uvicorn app:app", None),
        ("python manage.py collectstatic", None),
        ("python manage.py makemigrations", None),
        ("uvicorn upgrade:app", None),
        ("echo migrate", None),
    ],
)
def test_what_migrates_is_found_and_nothing_else(text: str, found: str | None) -> None:
    assert migration_in(text) == found


def test_a_command_is_a_line_or_a_list() -> None:
    assert (
        words_of("sh -c 'alembic upgrade head'")
        == ["sh", "-c", "alembic upgrade head"]
        == words_of(["sh", "-c", "alembic upgrade head"])
    )
    assert words_of(None) == [] and words_of("it's") == ["it's"]


def test_scripts_are_followed_by_name_and_by_path() -> None:
    text = "#!/bin/sh\n. /app/env.sh\n# ./not.sh\nexec ./start.sh /docker-entrypoint"
    assert scripts_in(text) == ["/bin/sh", "/app/env.sh", "./start.sh", "/docker-entrypoint"]
