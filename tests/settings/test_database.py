"""The databases of config/: the section of pipeline.toml, and the keys of an environment's file."""

from pathlib import Path

import pytest

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
URL = "DATABASE_URL=file:/etc/shop/url"


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


def test_run_does_not_say_it() -> None:
    with pytest.raises(ValueError, match=r"stands in \[database\]"):
        Pipeline.model_validate(PIPELINE | {"run": {"command": ["python"], "database": {"scheme": "sqlite"}}})


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        pytest.param((), "embedded", id="default"),
        pytest.param(("DATABASE=external", URL), "external", id="external"),
        pytest.param(("DATABASE=external", "DATABASE_URL=template:postgresql://a:{P}@h/d"), "external", id="template"),
        pytest.param(("DATABASE=sqlite",), "sqlite", id="sqlite"),
        pytest.param(("DATABASE=none",), "none", id="none"),
        pytest.param(("RUNTIME=compose",), "embedded", id="compose"),
    ],
)
def test_an_environment_names_its_database(tmp_path: Path, lines: tuple[str, ...], kind: str) -> None:
    assert read(tmp_path, *lines).database is DatabaseKind(kind)


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
        pytest.param(("SQLITE_SHARED=true",), "is for DATABASE=sqlite", id="shared-what"),
        pytest.param(("DATABASE=none", "BACKUP_BEFORE_MIGRATION=true"), "nothing that could be dumped", id="no-dump"),
        pytest.param(("DATABASE=external", "DATABASE_URL=generated"), "expected file:PATH", id="generated"),
        pytest.param(("DATABASE=external", "DATABASE_URL=postgresql://u:hunter2@h/d"), "(not shown)", id="the-secret"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, lines: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, *lines)
    assert why in str(told.value) and "hunter2" not in str(told.value)
