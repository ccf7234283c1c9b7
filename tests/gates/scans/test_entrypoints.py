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
        ("alembic -x 'a b' -x c=d upgrade heads", "alembic -x a b -x c=d upgrade"),
        ("alembic \\\r\n  upgrade head\r\n", "alembic upgrade"),
        ("['alembic', 'upgrade', 'head']", "alembic upgrade"),
        ('CMD ["alembic","upgrade","head"]', "alembic upgrade"),
        ("python -m alembic.config upgrade head", "alembic.config upgrade"),
        (
            "python -c \"from alembic.config import main; main(argv=['upgrade', 'head'])\"",
            "alembic.config import main; main argv= upgrade",
        ),
        ("manage.py --settings=x migrate", "manage.py --settings=x migrate"),
        ("manage.py --settings x -v 2 migrate", "manage.py --settings x -v 2 migrate"),
        ("django-admin --settings=a.b migrate", "django-admin --settings=a.b migrate"),
        ("python manage.py migrate_schemas --shared", "manage.py migrate_schemas"),
        ("python manage.py db upgrade", "manage.py db upgrade"),
        ("yoyo-migrate --batch apply", "yoyo-migrate --batch apply"),
        ("piccolo migrations forward all", "piccolo migrations forward"),
        ("litestar --app shop:app database upgrade --no-prompt", "litestar --app shop:app database upgrade"),
        ("atlas migrate apply --url x", "atlas migrate apply"),
        ("goose -dir db postgres x up", "goose -dir db postgres x up"),
        ("migrate -path db -database x up", "migrate -path db -database x up"),
        ("sqitch --chdir db deploy", "sqitch --chdir db deploy"),
        ('psql "$URL" -v ON_ERROR_STOP=1 -f schema.sql', "psql $URL -v ON_ERROR_STOP=1 -f"),
        ("psql x < schema.sql", "psql x <"),
        ("python -m app.migrate && exec uvicorn app:app", "-m app.migrate"),
        ("python -m app.db.run_migrations", "-m app.db.run_migrations"),
        ("python scripts/migrate.py", "python scripts/migrate.py"),
        ("echo start; alembic upgrade head", "alembic upgrade"),
        ("echo 'alembic upgrade head' | sh", "alembic upgrade"),
        ("echo alembic upgrade head > run.sh", "alembic upgrade"),
        ("$(echo alembic upgrade head)", "alembic upgrade"),
        ('echo "$(alembic upgrade head)"', "alembic upgrade"),
        ("# alembic upgrade head\nexec uvicorn app:app", None),
        ("exec uvicorn app:app # no alembic upgrade here", None),
        ("alembic current", None),
        ("alembic check && uvicorn app:app", None),
        ("python manage.py collectstatic", None),
        ("python manage.py makemigrations", None),
        ("uvicorn upgrade:app", None),
        ("echo migrate", None),
        ("echo 'run: alembic upgrade head'", None),
        ('echo "run: alembic upgrade head first" >&2\nexec uvicorn app:app', None),
        ("printf 'alembic upgrade head\\n' && exec uvicorn app:app", None),
        ("pip install alembic psycopg --upgrade", None),
        ("alembic current\nuvicorn upgrade:app", None),
        ("python manage.py check --deploy", None),
        ("python manage.py migrate --check", None),
        ("python manage.py migrate --plan; gunicorn shop", None),
        ("until psql -h db -c 'select 1'; do sleep 1; done", None),
        ("python -m app.check_migrations", None),
        ("python -m app.migrations.tools", None),
        ("python -m app.immigrate", None),
        ("python scripts/check_migrate.py", None),
        ("goose --version", None),
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
