"""The table [locks] takes a path or a table for each lock, and old files keep the digest of their rules."""

from pathlib import Path
from typing import Any

import pytest

from gates.lock_formats.selection import Selection
from host.errors import ConfigError
from settings.locks import LockChoice, Locks
from settings.toml_files import checked

OLD = '{"runtime":"a.lock","ci":"b.lock","smoke":null,"others":["c.lock"]}'


def test_a_text_is_dumped_as_a_text() -> None:
    locks = Locks.model_validate({"runtime": "a.lock", "ci": {"file": "b.lock"}, "others": ["c.lock"]})
    assert locks.model_dump_json() == OLD
    assert [str(lock) for lock in locks.every] == ["a.lock", "b.lock", "c.lock"] == list(locks.files)


def test_a_table_chooses_a_part_and_is_another_rule() -> None:
    table = {"file": "uv.lock", "groups": ["dev"], "extras": ["Postgres_SQL"], "package": "My.Api"}
    locks = Locks.model_validate({"runtime": "uv.lock", "ci": table})
    assert locks.ci.selection == Selection(("dev",), ("postgres-sql",), "my-api")
    assert str(locks.ci) == "uv.lock (package my-api; groups dev; extras postgres-sql)"
    assert Locks.model_validate_json(locks.model_dump_json()) == locks
    assert locks.files == ("uv.lock",) and len(locks.every) == 2


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        ({"fil": "x"}, 'runtime.fil: a key that Slipway does not know; did you mean "file"?'),
        (3, "expected the path of a lock, or a table"),
        ("", "runtime.file: "),
        ("../x.lock", "expected a path in the app's repository"),
        ("/etc/x.lock", "expected a path in the app's repository"),
        ({"file": "x", "groups": "dev"}, "runtime.groups: "),
        ({"file": "x", "groups": ["--all-groups"]}, "runtime.groups.0: "),
        ({"file": "x", "extras": ["a b"]}, "runtime.extras.0: "),
        ({"groups": ["dev"]}, "runtime.file: "),
    ],
    ids=["key", "type", "empty", "above", "absolute", "one group", "option", "space", "no file"],
)
def test_what_is_no_lock_is_refused_with_its_key(runtime: Any, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(Locks, {"runtime": runtime, "ci": "a.lock"}, Path("pipeline.toml"))
    assert words in str(refused.value)


def test_a_path_is_enough() -> None:
    assert LockChoice(file="a.lock").selection == Selection()


def test_packages_built_from_source_are_named_once_and_are_another_rule() -> None:
    locks = Locks.model_validate({"runtime": "a.lock", "ci": "b.lock", "build_from_source": ["Flask_Mail", "six"]})
    assert locks.build_from_source == ("flask-mail", "six")
    assert '"build_from_source":["flask-mail","six"]' in locks.model_dump_json()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["six", "flask-mail", "Flask.Mail"], "named twice: flask-mail"),
        (["a b"], "build_from_source.0: "),
        (["--no-binary"], "build_from_source.0: "),
        ([":all:"], "build_from_source.0: "),
        ("six", "build_from_source: "),
    ],
    ids=["twice", "space", "option", "everything", "no list"],
)
def test_what_is_no_list_of_packages_is_refused(names: Any, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(Locks, {"runtime": "a.lock", "ci": "a.lock", "build_from_source": names}, Path("pipeline.toml"))
    assert words in str(refused.value)
