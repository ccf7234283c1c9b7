"""The app's own commands run once: their last line is told, and how they failed."""

from collections.abc import Mapping, Sequence

import pytest

from deployments.runtimes.one_off import NO_SEED, migrate, seed
from evidence.bundle import Run
from host.errors import MigrationError, ToolError

NOTHING = Run(command=("python", "app.py"))
APP = Run(command=("python", "app.py"), migrate=("python", "migrate"), seed=("python", "seed", "--{seed}", "{seed}"))


class Commands:
    """Ends every command in the same way, and remembers what was asked for."""

    def __init__(self, ended: str, said: str) -> None:
        self.how = (ended, said)
        self.asked: list[tuple[list[str], dict[str, str], float]] = []

    def __call__(self, command: Sequence[str], env: Mapping[str, str], timeout_s: float) -> tuple[str, str]:
        self.asked.append((list(command), dict(env), timeout_s))
        return self.how


def test_an_app_without_the_commands_runs_none() -> None:
    commands = Commands("", "")
    assert migrate(NOTHING, commands, {}, 5) == "the app has no migrations"
    assert seed(NOTHING, "full", commands, 5) == NO_SEED
    assert commands.asked == []


def test_the_last_line_of_a_migration_is_told() -> None:
    commands = Commands("", "first\nat head\n")
    assert migrate(APP, commands, {"A": "b"}, 5) == "at head"
    assert commands.asked == [(["python", "migrate"], {"A": "b"}, 5)]


def test_the_kind_of_data_stands_in_the_command_and_in_its_environment() -> None:
    commands = Commands("", "first\n7 rows\n")
    assert seed(APP, "masked", commands, 9) == "7 rows"
    assert commands.asked == [(["python", "seed", "--masked", "masked"], {"SEED": "masked"}, 9)]


@pytest.mark.parametrize("length", [1500, 1501])
def test_a_failure_is_told_with_the_end_of_what_was_printed(length: int) -> None:
    commands = Commands("failed with exit code 3", "x" + "y" * (length - 1))
    told = ("x" + "y" * 1499) if length == 1500 else "y" * 1500
    with pytest.raises(MigrationError) as migration:
        migrate(APP, commands, {}, 5)
    assert str(migration.value) == f"the migration failed with exit code 3: {told}"
    with pytest.raises(ToolError) as seeding:
        seed(APP, "full", commands, 5)
    assert str(seeding.value) == f"the seed failed with exit code 3: {told}"
