from pathlib import Path

import pytest

from host.errors import ConfigError
from host.home import CHECKOUT
from settings.approvers import read_approvers

ROBIN = '[[approver]]\nname = "Robin"\nemails = ["robin@example.com"]\nenvironments = ["staging", "production"]\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "approvers.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as told:
        read_approvers(file)
    assert str(told.value).startswith(f"{file}: ")
    return str(told.value).removeprefix(f"{file}: ")


def test_the_file_of_this_repository_names_somebody_for_each_approval() -> None:
    approvers = read_approvers(CHECKOUT / "config" / "approvers.toml")
    for environment in ("staging", "production"):
        assert [one for one in approvers if environment in one.environments]


def test_people_are_read(tmp_path: Path) -> None:
    (robin,) = read_approvers(write(tmp_path, ROBIN))
    assert (robin.name, robin.emails, robin.environments) == (
        "Robin",
        ("robin@example.com",),
        ("staging", "production"),
    )


def test_nobody_may_be_named(tmp_path: Path) -> None:
    assert read_approvers(write(tmp_path, "")) == []


def test_space_around_a_name_or_an_address_does_not_make_it_another(tmp_path: Path) -> None:
    text = ROBIN.replace('"Robin"', '" Robin "').replace('"robin@', '" robin@').replace('.com"', '.com "')
    (robin,) = read_approvers(write(tmp_path, text))
    assert (robin.name, robin.emails) == ("Robin", ("robin@example.com",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "Robin"\n', "", "approver.0.name: Field required"),
        ('"Robin"', '""', "approver.0.name: "),
        ('"Robin"', '"   "', "approver.0.name: "),
        ('"Robin"', f'"{"x" * 61}"', "approver.0.name: "),
        ('"Robin"', "7", "approver.0.name: "),
        ('emails = ["robin@example.com"]\n', "", "approver.0.emails: Field required"),
        ('["robin@example.com"]', "[]", "approver.0.emails: "),
        ('"robin@example.com"', '""', "approver.0.emails.0: "),
        ('"robin@example.com"', '"robin"', "approver.0.emails.0: "),
        ('"robin@example.com"', '"robin@example.com, r@example.com"', "approver.0.emails.0: "),
        ('["robin@example.com"]', '"robin@example.com"', "approver.0.emails: "),
        ('"production"', '"prod"', "approver.0.environments.1: "),
        ('["staging", "production"]', '"staging"', "approver.0.environments: "),
        ('environments = ["staging", "production"]\n', "", "approver.0.environments: Field required"),
        ("emails =", "email =", "approver.0.email: a key that Slipway does not know"),
        ("[[approver]]", '[[approver]]\nphone = "1"', "approver.0.phone: "),
        ("[[approver]]", "[[approvers]]", "approvers: "),
        ("[[approver]]", "[approver]", "approver: "),
    ],
)
def test_bad_input_names_file_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in ROBIN
    told = refusal(write(tmp_path, ROBIN.replace(old, new)))
    assert told.startswith(said), told


def test_the_second_of_two_people_is_named_by_number(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, ROBIN + ROBIN.replace('"Robin"', "7"))).startswith("approver.1.name: ")


@pytest.mark.parametrize("again", ["Robin", " Robin"])
def test_two_people_of_one_name_are_refused(tmp_path: Path, again: str) -> None:
    text = ROBIN + ROBIN.replace('"Robin"', f'"{again}"')
    assert refusal(write(tmp_path, text)) == "approver.name: 'Robin' stands there twice"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "approvers.toml")
    (tmp_path / "folder").mkdir()
    assert "cannot be read" in refusal(tmp_path / "folder")
    assert "not valid TOML" in refusal(write(tmp_path, "[[approver"))
    (tmp_path / "approvers.toml").write_bytes(b"name = '\xff'")
    assert "not valid TOML" in refusal(tmp_path / "approvers.toml")


KEY = "ssh-ed25519 " + "A" * 68


def with_keys(*keys: str) -> str:
    return ROBIN + f"ssh_keys = {list(keys)!r}\n".replace("'", '"')


def test_keys_are_read_and_may_carry_a_comment(tmp_path: Path) -> None:
    assert read_approvers(write(tmp_path, ROBIN))[0].ssh_keys == ()
    (robin,) = read_approvers(write(tmp_path, with_keys(KEY, "ssh-rsa " + "B" * 372 + " robin laptop")))
    assert robin.ssh_keys == (KEY, "ssh-rsa " + "B" * 372 + " robin laptop")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ssh-ed25519",
        "ssh-dss " + "A" * 68,
        KEY + "\\nother " + KEY,
        "cert-authority " + KEY,
        "* " + KEY,
        "/home/robin/.ssh/id.pub",
    ],
)
def test_what_is_no_public_key_is_refused(tmp_path: Path, key: str) -> None:
    assert refusal(write(tmp_path, with_keys(key))).startswith("approver.0.ssh_keys.0: ")


def test_two_people_cannot_share_a_key(tmp_path: Path) -> None:
    text = with_keys(KEY + " one") + with_keys(KEY + " two").replace('"Robin"', '"Sasha"')
    assert "stands there twice" in refusal(write(tmp_path, text))


def test_slack_ids_are_checked_and_unique(tmp_path: Path) -> None:
    (robin,) = read_approvers(write(tmp_path, ROBIN + 'slack = "U0ROBIN"\n'))
    assert robin.slack == "U0ROBIN"
    assert "slack" in refusal(write(tmp_path, ROBIN + 'slack = "@robin"\n'))
    other = ROBIN.replace("Robin", "Sasha") + 'slack = "U0ROBIN"\n'
    assert "stands there twice" in refusal(write(tmp_path, ROBIN + 'slack = "U0ROBIN"\n' + other))
