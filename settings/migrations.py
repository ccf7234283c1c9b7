"""The table `[migrations]` of pipeline.toml: with which tool the app changes its database's schema."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gates.repository_paths import repository_path


class Migrations(BaseModel):
    """Without this section it is the tool that `[run] migrate` starts, or the only one that the commit has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["alembic", "django", "sql", "none"] | None = None
    """`alembic` (Flask-Migrate, too), `django`, `sql` (a folder of files of SQL). `none`: the app has no
    migrations, or none that anybody should judge.
    """
    config: str = Field("", max_length=300)
    """Where the tool is set up, a path in the app's repository: `alembic.ini` or a file of another name, a
    `pyproject.toml` with `[tool.alembic]`, `manage.py`, the folder of SQL files.
    """

    @field_validator("config")
    @classmethod
    def _lies_in_the_repository(cls, config: str) -> str:
        return repository_path(config) if config else ""

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.config and self.kind in (None, "none"):
            raise ValueError("config: set kind beside it: alembic, django or sql")
        if self.kind == "sql" and not self.config:
            raise ValueError("kind: sql needs config, the folder of SQL files")
        return self
