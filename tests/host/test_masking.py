import pytest

from host.masking import masked, secret_values


@pytest.mark.parametrize(
    ("environment", "secrets"),
    [
        ({"PATH": "/usr/bin", "HOME": "/root"}, []),
        ({"DB_PASSWORD": "hunter22"}, ["hunter22"]),
        ({"db_passwd": "hunter22"}, ["hunter22"]),
        ({"SESSION_SECRET": "hunter22"}, ["hunter22"]),
        ({"GITHUB_TOKEN": "hunter22"}, ["hunter22"]),
        ({"CREDENTIALS": "hunter22"}, ["hunter22"]),
        ({"APIKEY": "hunter22", "API_KEY": "hunter33"}, ["hunter22", "hunter33"]),
        ({"PRIVATE_KEY": "hunter22"}, ["hunter22"]),
        ({"BASIC_AUTH": "hunter22"}, ["hunter22"]),
        ({"KEYBOARD": "hunter22"}, []),
        ({"TOKEN": "12345"}, []),  # too short: it would stand everywhere
        ({"TOKEN": "123456"}, ["123456"]),
        ({"URL": "postgresql://shop:p%40ssword@localhost/db"}, ["p%40ssword", "p@ssword"]),
        ({"URL": "postgresql://shop@localhost/db"}, []),
        ({"URL": "http://[broken:password"}, []),
        ({"A_TOKEN": "short1", "B_TOKEN": "short1-and-longer"}, ["short1-and-longer", "short1"]),
    ],
    ids=str,
)
def test_what_is_named_like_a_secret_or_is_a_password_in_an_address_is_one(
    environment: dict[str, str], secrets: list[str]
) -> None:
    assert sorted(secret_values(environment)) == sorted(secrets)
    assert [len(value) for value in secret_values(environment)] == sorted(map(len, secrets), reverse=True)


def test_every_place_of_every_secret_is_masked() -> None:
    secrets = secret_values({"A_TOKEN": "short1", "B_TOKEN": "short1-and-longer"})
    assert masked("short1 short1-and-longer, short1", secrets) == "*** ***, ***"
    assert masked("nothing", []) == "nothing"
