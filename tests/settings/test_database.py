"""The databases of config/: the section of pipeline.toml, and the keys of an environment's file."""

import re
from pathlib import Path

import pytest

from gates.databases.form import DatabaseForm
from host.errors import ConfigError
from settings.database import DatabaseKind
from settings.environment import Settings, read_settings
from settings.pipeline import Pipeline
from settings.targets import Target

PIPELINE = {
    "app": {"name": "shop", "repository": "/srv/shop"},
    "locks": {"runtime": "a", "ci": "b"},
    "run": {"command": ["python"]},
}
REDIS = "REDIS_URL=file:/etc/shop/redis"
URL = "DATABASE_URL=file:/etc/shop/url"
PLAIN = "DATABASE_URL=postgresql://u:" + "hunter2" + "@h/d"
SECRET_Q = "SECRET_Q=generated"


def read(folder: Path, *lines: str) -> Settings:
    text = "\n".join(["PORT=8080", "STRATEGY=direct", "REQUIRED_GATES=", *lines])
    (folder / "production.env").write_text(text, encoding="utf-8")
    return read_settings(Target("production"), folder)


def test_the_section_is_part_of_how_the_app_runs_and_absent_changes_no_digest() -> None:
    plain = Pipeline.model_validate(PIPELINE)
    assert "database" not in plain.model_dump_json()
    same = Pipeline.model_validate(PIPELINE | {"database": {"scheme": "postgresql+psycopg"}})
    assert same.digest == plain.digest
    other = Pipeline.model_validate(PIPELINE | {"database": {"scheme": "postgresql+asyncpg"}})
    assert other.run.database.scheme == "postgresql+asyncpg" and other.digest != plain.digest


@pytest.mark.parametrize(
    "line",
    [
        "APP_DATABASE_URL=postgresql://u@h/d",
        "APP_CACHE=redis://:@h/0",
        "APP_SITE=https://shop.example.com/a:b@c",
        "SECRET_CACHE=template:redis://:{P}@h/0\nSECRET_P=generated",
        'SECRET_JSON=template:{"a": "{P}"}\nSECRET_P=generated',
    ],
    ids=["no-password", "empty", "in-the-path", "template", "json"],
)
def test_an_address_without_a_password_is_taken(tmp_path: Path, line: str) -> None:
    read(tmp_path, *line.split("\n"))


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"variables": {"LD_PRELOAD": "/tmp/x.so"}}, "variables.LD_PRELOAD: it decides which code runs"),
        ({"variables": {"PYTHONPATH": "{host}"}}, "variables.PYTHONPATH: it decides which code runs"),
        ({"variables": {"DB": "{host}", "BASH_ENV": "x"}}, "variables.BASH_ENV: it decides which code runs"),
        ({"scheme": "sqlite", "extensions": ["pg_trgm"]}, "extensions: scheme = sqlite is a file, and extensions are"),
        ({"scheme": "sqlite", "connection": "tcp"}, "connection: scheme = sqlite is a file, which has no port"),
        ({"scheme": "sqlite+aiosqlite", "extensions": ["x"]}, "extensions: scheme = sqlite+aiosqlite is a file"),
    ],
    ids=["loader", "python", "shell", "sqlite", "port-of-a-file", "aiosqlite"],
)
def test_a_section_that_cannot_be_meant_is_refused(section: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Pipeline.model_validate(PIPELINE | {"database": section})


def test_an_artifact_of_before_is_still_read() -> None:
    """What pipeline.toml refuses now, a bundle that is already there may say."""
    assert DatabaseForm.model_validate({"variables": {"PYTHONPATH": "x"}}).variables
    Pipeline.model_validate(PIPELINE | {"database": {"variables": {"DB_HOST": "{host}"}, "extensions": ["pg_trgm"]}})


def test_run_does_not_say_it() -> None:
    with pytest.raises(ValueError, match=r"stands in \[database\]"):
        Pipeline.model_validate(PIPELINE | {"run": {"command": ["python"], "database": {"scheme": "sqlite"}}})


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        pytest.param((), "embedded", id="default"),
        pytest.param(("DATABASE=external", URL), "external", id="external"),
        pytest.param(
            ("DATABASE=external", "DATABASE_URL=template:postgresql://a:{P}@h/d", "SECRET_P=file:/etc/shop/p"),
            "external",
            id="template",
        ),
        pytest.param(("DATABASE=sqlite",), "sqlite", id="sqlite"),
        pytest.param(("DATABASE=none",), "none", id="none"),
        pytest.param(
            ("DATABASE=external", "DATABASE_URL=template:mysql://a:{P}@h/d", "SECRET_P=generated"),
            "external",
            id="mysql",
        ),
        pytest.param(("RUNTIME=compose",), "embedded", id="compose"),
    ],
)
def test_an_environment_names_its_database(tmp_path: Path, lines: tuple[str, ...], kind: str) -> None:
    assert read(tmp_path, *lines).database is DatabaseKind(kind)


def test_an_environment_names_its_redis_by_reference(tmp_path: Path) -> None:
    settings = read(tmp_path, REDIS, "DATABASE=external", URL)
    assert settings.redis_url == "file:/etc/shop/redis"
    assert {"file:/etc/shop/redis", "file:/etc/shop/url"} <= {*settings.references}


def test_blue_green_on_one_file_is_for_who_says_so(tmp_path: Path) -> None:
    green = [line.replace("direct", "blue-green") for line in ("STRATEGY=direct",)]
    text = "\n".join(["PORT=8080", *green, "REQUIRED_GATES=", "DATABASE=sqlite", "SQLITE_SHARED=true"])
    (tmp_path / "production.env").write_text(text)
    assert read_settings(Target("production"), tmp_path).sqlite_shared
    (tmp_path / "production.env").write_text(text.replace("SQLITE_SHARED=true", ""))
    with pytest.raises(ConfigError, match="two versions would write one file; set STRATEGY=direct, or SQLITE_SHARED"):
        read_settings(Target("production"), tmp_path)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        pytest.param(("DATABASE=external",), "must both be set", id="no-url"),
        pytest.param((URL,), "must both be set", id="no-kind"),
        pytest.param(("DATABASE=mysql",), "'embedded', 'external', 'sqlite' or 'none'", id="mysql"),
        pytest.param(("RUNTIME=compose", "DATABASE=none"), "for RUNTIME=process", id="compose"),
        pytest.param(
            ("RUNTIME=compose", REDIS), "for RUNTIME=process; with compose give it as SECRET_REDIS_URL", id="redis"
        ),
        pytest.param((REDIS, "SECRET_REDIS_URL=env:R"), "SECRET_REDIS_URL both say", id="redis-secret"),
        pytest.param((REDIS, "APP_REDIS_URL=redis://h"), "APP_REDIS_URL both say", id="redis-app"),
        pytest.param(("REDIS_URL=generated",), "expected file:PATH", id="redis-generated"),
        pytest.param(("REDIS_URL=redis://:hunter2@h/0",), "(not shown)", id="redis-secret-itself"),
        pytest.param(("SQLITE_SHARED=true",), "is for DATABASE=sqlite", id="shared-what"),
        pytest.param(("DATABASE_PORT=40000",), "less than or equal to 32767", id="port-of-outgoing"),
        pytest.param(("DATABASE_PORT=8080",), "DATABASE_PORT and PORT are both 8080", id="port-twice"),
        pytest.param(("DATABASE_PORT=15432", "DATABASE=none"), "whose server is Slipway's", id="port-of-none"),
        pytest.param(("DATABASE_PORT=15432", "RUNTIME=compose"), "whose server is Slipway's", id="port-of-compose"),
        pytest.param(("DATABASE=none", "BACKUP_BEFORE_MIGRATION=true"), "nothing that could be dumped", id="no-dump"),
        pytest.param(("DATABASE=external", "DATABASE_URL=generated"), "expected file:PATH", id="generated"),
        pytest.param(("DATABASE=external", "DATABASE_URL=postgresql://u:hunter2@h/d"), "(not shown)", id="the-secret"),
        pytest.param(("DATABASE=external", PLAIN), "got an address with a password in it (not shown)", id="plain-url"),
        pytest.param(("DATABASE=external", PLAIN), "DATABASE_URL=template:TEXT with {DATABASE_PASSWORD} in", id="cure"),
        pytest.param(
            ("DATABASE=external", f"{PLAIN}".replace("=", "=template:")), "with a password in it", id="in-text"
        ),
        pytest.param(
            ("DATABASE=external", "DATABASE_URL=template:postgresql://a:{P}@h/d"),
            "production.env: DATABASE_URL: its template names {P}; set SECRET_P to generated, file:PATH or env:NAME",
            id="no-such-secret",
        ),
        pytest.param(
            ("DATABASE=external", "DATABASE_URL=template:postgresql://a:{P}@h/d", "SECRET_P=template:x{Q}", SECRET_Q),
            "DATABASE_URL: its template names {P}; set SECRET_P to generated, file:PATH or env:NAME",
            id="template-of-a-template",
        ),
        pytest.param(
            ("DATABASE=external", "DATABASE_URL=template:postgresql://a:{p}@h/d", "SECRET_P=generated"),
            "set SECRET_P to generated, file:PATH or env:NAME, and name it {P}",
            id="small-letters",
        ),
        pytest.param((f"APP_{PLAIN}",), "APP_DATABASE_URL: got an address with a password in it", id="of-the-app"),
        pytest.param((f"APP_{PLAIN}",), "its place: SECRET_DATABASE_URL=template:TEXT with", id="cure-of-the-app"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, lines: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, *lines)
    assert why in str(told.value) and "hunter2" not in str(told.value)
