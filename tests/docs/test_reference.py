"""Tests of docs/reference.py, and that the pages agree with models, commands and code."""

import re
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from docs.reference import DOCS, keys_table, models, rewrite, texts
from host.home import CHECKOUT
from settings import monitoring, pipeline
from settings.approvers import Approvers
from settings.environment import Settings
from settings.monitoring import Monitoring
from settings.notify import Notify
from settings.pipeline import Pipeline
from settings.waivers import Entry

PAGES = [page for page in (CHECKOUT / "README.md", *DOCS.glob("*.md")) if "<!-- generated: " in page.read_text()]
ALL_MODELS = [
    (name, part)
    for model in (Settings, Pipeline, Approvers, Entry, Notify, Monitoring)
    for name, part in models(model, model.__name__)
]
PRODUCT = "cli control deployments evidence flows gates host notify services settings tasks traffic".split()


class Sample(BaseModel):
    """What a table is made of."""

    port: int = Field(4210, ge=1, le=65535)
    """Where it
    listens | waits."""
    wait_seconds: float = Field(gt=0)
    mode: Annotated[str, Field(pattern="^(|fast|slow)$")] = ""
    share: float | None = Field(None, ge=0, lt=1)
    on: bool = False
    names: tuple[Annotated[str, Field(max_length=9)], ...] = ("a", "b")


def test_pages_hold_what_the_models_and_the_commands_say() -> None:
    assert {page.name for page in PAGES} == {"configuration.md", "commands.md"}
    stale = [page.name for page in PAGES if rewrite(page.read_text()) != page.read_text()]
    assert not stale, "run: make docs"


@pytest.mark.parametrize(("name", "model"), ALL_MODELS, ids=[name for name, _ in ALL_MODELS])
def test_each_key_has_a_text(name: str, model: type[BaseModel]) -> None:
    tables = {part.strip("[]").split(".")[0] for part, _ in models(model)}
    assert set(model.model_fields) - set(texts(model)) <= tables


def test_a_table_has_default_unit_and_range() -> None:
    rows = keys_table(Sample, str.upper).splitlines()[2:]
    assert rows == [
        r"| `PORT` | Where it listens \| waits. | 4210 | 1 to 65535 |",
        "| `WAIT_SECONDS` | | required | above 0 |",
        "| `MODE` | | none | empty, `fast`, `slow` |",
        "| `SHARE` | | none | at least 0 and below 1 |",
        "| `ON` | | `false` | `true`, `false` |",
        "| `NAMES` | | `a`, `b` | 0 to 9 characters |",
    ]


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(KeyError):
        rewrite("<!-- generated: nothing -->\n<!-- end -->")


def test_the_variables_that_code_reads_are_described() -> None:
    # Programs that run inside the sandbox get variables of Slipway's own, which people do not set.
    files = [file for folder in PRODUCT for file in (CHECKOUT / folder).rglob("*.py") if file.parent.name != "inside"]
    code = "\n".join(file.read_text() for file in files)
    described = set(re.findall(r"SLIPWAY_[A-Z_]*[A-Z]", (DOCS / "configuration.md").read_text()))
    assert set(re.findall(r'environ(?:\.get\(|\[)\s*"(SLIPWAY_[A-Z_]+)"', code)) <= described
    assert {*pipeline.OVERRIDES, *monitoring.OVERRIDES} <= described
