"""Each file of a folder of SQL is a migration, a way back or trouble; none is lost."""

import pytest

from gates.migrations.sql_files import SqlFile, migrating, way_there


@pytest.mark.parametrize(
    ("files", "order"),
    [
        (["10_b.sql", "2_a.sql"], ["2_a.sql", "10_b.sql"]),
        (["V1.10__c.sql", "V1.2__a.sql", "V1_9__b.sql"], ["V1.2__a.sql", "V1_9__b.sql", "V1.10__c.sql"]),
        (["00001_2fa.sql", "00002_a.sql"], ["00001_2fa.sql", "00002_a.sql"]),
        (["2025/001_b.sql", "2024/002_a.sql"], ["2024/002_a.sql", "2025/001_b.sql"]),
        (
            ["20240102_b/migration.sql", "20240101_a/migration.sql"],
            ["20240101_a/migration.sql", "20240102_b/migration.sql"],
        ),
        (["1_a.sql", "4_X.SQL", "B8__base.sql"], ["1_a.sql", "4_X.SQL", "B8__base.sql"]),
        (["1_a.sql", "2_scale_down.sql", "3_mark_undo.sql"], ["1_a.sql", "2_scale_down.sql", "3_mark_undo.sql"]),
        (["1_a.sql", f"{'9' * 5000}.sql"], ["1_a.sql", f"{'9' * 5000}.sql"]),
    ],
)
def test_numbered_files_migrate_in_the_order_of_their_numbers(files: list[str], order: list[str]) -> None:
    assert migrating(files) == [SqlFile(path) for path in order]


@pytest.mark.parametrize("name", ["R__views.sql", "schema.sql", "m7.sql", "seed.SQL", "U3__x.sql"])
def test_a_file_without_a_number_comes_last_and_may_run_again(name: str) -> None:
    assert migrating([name, "1_a.sql"]) == [SqlFile("1_a.sql"), SqlFile(name, repeats=True)]


@pytest.mark.parametrize(
    ("there", "back"),
    [
        ("1_a.up.sql", "1_a.down.sql"),
        ("1_a.sql", "1_a.rollback.sql"),
        ("1_a.sql", "1_a.UNDO.sql"),
        ("1_a.sql", "1_a.revert.sql"),
        ("1_a_up.sql", "1_a_down.sql"),
        ("1_a-up.sql", "1_a-down.sql"),
        ("1_a.sql", "1_a_down.sql"),
        ("V1.2__a.sql", "U1.2__take_a_back.sql"),
    ],
)
def test_a_way_back_does_not_migrate(there: str, back: str) -> None:
    assert migrating([there, back]) == [SqlFile(there)]


def test_a_numbered_step_that_is_no_sql_is_trouble() -> None:
    found = migrating(["1_a.sql", "2_step.py", "3_b.sql"])
    assert [one.path for one in found if one.trouble] == ["2_step.py"] and len(found) == 3


@pytest.mark.parametrize("name", ["README.md", "1_notes.md", "__init__.py", "atlas.sum", "flyway.toml", "code/404.py"])
def test_what_is_neither_sql_nor_a_step_is_left_out(name: str) -> None:
    assert migrating(["1_a.sql", name]) == [SqlFile("1_a.sql")]


def test_the_way_there_is_a_file_without_its_ways_back() -> None:
    assert way_there("-- migrate:up\nA;\n-- migrate:down\nB;\n") == "-- migrate:up\nA;\n"
    assert way_there("-- migrate:down\nB;\n") == "-- migrate:down\nB;\n"
