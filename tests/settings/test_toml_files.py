from pathlib import Path
from typing import Self

import pytest
from pydantic import BaseModel, Field, model_validator

from host.errors import ConfigError
from settings.toml_files import checked, read_rules


class Part(BaseModel):
    most: int = Field(ge=1)


class Limits(BaseModel):
    part: Part


def test_rules_are_read(tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_text("[part]\nmost = 1\n")
    assert read_rules(Limits, "limits", tmp_path) == Limits(part=Part(most=1))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[part", "not valid TOML: "),
        (b"\xff", "not valid TOML: "),
        (b"", "part: Field required"),
        (b"[part]\nmost = 0\n", "part.most: got '0', Input should be greater than or equal to 1"),
        (b'[part]\nmost = "x"\n', "part.most: got 'x', Input should be a valid integer"),
    ],
)
def test_rules_that_are_wrong_name_file_key_value_and_what_was_expected(
    tmp_path: Path, content: bytes, why: str
) -> None:
    file = tmp_path / "limits.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as told:
        read_rules(Limits, "limits", tmp_path)
    assert str(told.value).startswith(f"{file}: {why}")


def test_no_value_beside_a_name_of_a_secret_is_shown(tmp_path: Path) -> None:
    class Suite(BaseModel):
        environment: dict[str, str] = {}
        token: str = ""
        words: int = 0

    for text in (
        'environment = {PASSWORD = ["hunter2hunter"]}',
        'environment = "PASSWORD=hunter2hunter"',
        'token = ["hunter2hunter"]',
        'words = "PASSWORD=hunter2hunter"',
        'words = [{api_key = "hunter2hunter"}]',
    ):
        (tmp_path / "limits.toml").write_text(text)
        with pytest.raises(ConfigError) as told:
            read_rules(Suite, "limits", tmp_path)
        assert "hunter2" not in str(told.value) and text.split(" ")[0] in str(told.value)


class Typed(BaseModel):
    whole: int = 0
    number: float = 0
    flag: bool = False
    text: str = ""
    listed: tuple[int, ...] = ()
    tables: dict[str, Part] = {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("whole = true", "whole: got True, expected a whole number"),
        ('whole = "2"', "whole: got '2', expected a whole number"),
        ("whole = 2.0", "whole: got 2.0, expected a whole number"),
        ("number = true", "number: got True, expected a number"),
        ('number = "2"', "number: got '2', expected a number"),
        ('flag = "yes"', "flag: got 'yes', expected true or false"),
        ("flag = 1", "flag: got 1, expected true or false"),
        ("listed = [1, true]", "listed.1: got True, expected a whole number"),
        ('[tables.a]\nmost = "1"', "tables.a.most: got '1', expected a whole number"),
    ],
)
def test_a_value_of_another_type_is_not_turned_into_one_of_the_key_s(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "limits.toml").write_text(text)
    with pytest.raises(ConfigError) as told:
        read_rules(Typed, "limits", tmp_path)
    assert str(told.value) == f"{tmp_path}/limits.toml: {said}"


@pytest.mark.parametrize("text", ["whole = 1", "number = 1", "number = 1.5", "flag = true", "listed = [1]"])
def test_a_value_of_the_key_s_own_type_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "limits.toml").write_text(text)
    read_rules(Typed, "limits", tmp_path)


def test_a_long_value_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_text(f'[part]\nmost = "{"x" * 500}"\n')
    with pytest.raises(ConfigError) as told:
        read_rules(Limits, "limits", tmp_path)
    assert f"got '{'x' * 120}'," in str(told.value)


def test_rules_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        read_rules(Limits, "limits", tmp_path)
    assert str(told.value) == f"{tmp_path}/limits.toml: cannot be read: No such file or directory"


def test_the_value_of_an_unknown_key_is_not_shown_it_may_be_a_secret(tmp_path: Path) -> None:
    class Strict(BaseModel, extra="forbid"):
        pass

    with pytest.raises(ConfigError) as refused:
        checked(Strict, {"password": "secret"}, tmp_path / "limits.toml")
    assert str(refused.value) == f"{tmp_path}/limits.toml: password: a key that Slipway does not know"


def test_a_file_that_is_wrong_as_a_whole_is_named_so(tmp_path: Path) -> None:
    class Whole(BaseModel):
        @model_validator(mode="after")
        def _never(self) -> Self:
            raise ValueError("one and other: never good")

    with pytest.raises(ConfigError, match=r"\.toml: one and other: never good$"):
        checked(Whole, {}, tmp_path / "limits.toml")
