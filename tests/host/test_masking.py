import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from host.masking import ORDINARY, PART, SHORTEST_SECRET, declared_secrets, masked, secret_texts, secret_values
from tests.growth import assert_in_proportion


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
        ({"KEYBOARD": "hunter22", "PWD": "/srv/shop-1", "CACHE_KEY": "hunter22", "COMPASS": "hunter22"}, []),
        ({"DB_PASS": "hunter22"}, ["hunter22"]),
        ({"MYSQL_PWD": "hunter22"}, ["hunter22"]),
        ({"RABBITMQ_DEFAULT_PASS": "hunter22"}, ["hunter22"]),
        ({"FERNET_KEY": "hunter22"}, ["hunter22"]),
        ({"JWT_KEY": "hunter22"}, ["hunter22"]),
        ({"SIGNING_KEY": "hunter22"}, ["hunter22"]),
        ({"API-KEY": "hunter22"}, ["hunter22"]),
        ({"PASSWORD_SALT": "hunter22"}, ["hunter22"]),
        ({"DSN": "host=db password=hunter22 dbname=a"}, ["hunter22"]),
        ({"STORE": "AccountName=shop;AccountKey=hunter22==;Suffix=x"}, ["hunter22=="]),
        ({"URL": "postgresql://db/shop?user=shop&password=hunter22"}, ["hunter22"]),
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


@pytest.mark.parametrize(
    ("environment", "secrets"),
    [
        ({"GIT_AUTHOR_NAME": "Ada Lovelace"}, []),
        ({"SSH_AUTH_SOCK": "/tmp/ssh-1/agent.1"}, []),
        ({"DB_PASSWORD_FILE": "/run/secrets/db"}, []),
        ({"TOKEN_ALGORITHM": "HS256-and-more"}, []),
        ({"DB_PASSPHRASE": "hunter22"}, ["hunter22"]),
        ({"DB_PASSWORD": "postgres", "SECRET": "generated", "TOKEN": "changeme"}, []),  # hides nothing
        ({"INDEX": "https://pypi-AgEIcHlwaS5@index/simple"}, ["pypi-AgEIcHlwaS5"]),
        ({"INDEX": "https://${TOKEN}@index/simple", "URL": "amqp://u:{{ password }}@h"}, []),
        ({"AUTH_URL": "https://sso.shop.internal/login"}, []),
        ({"HOOK_TOKEN": "https://hooks.shop.internal/a/T0B1C2D3E4F5G6H7"}, ["T0B1C2D3E4F5G6H7"]),
        ({"CREDENTIALS": '{"type": "service_account", "private_key_secret": "hunter22"}'}, ["hunter22"]),
        ({"SIGNING_SECRET": "[not json"}, ["[not json"]),
    ],
    ids=str,
)
def test_what_is_about_a_secret_is_none(environment: dict[str, str], secrets: list[str]) -> None:
    assert secret_values(environment) == secrets


def test_of_a_private_key_each_line_is_secret_and_its_head_is_not() -> None:
    lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"]
    pem = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
    assert sorted(secret_texts(pem.encode())) == sorted(secret_values({"X_SECRET": pem})) == sorted(lines)
    assert masked(f"it begins with -----BEGIN PRIVATE KEY-----\n{lines[1][3:20]}", secret_texts(pem.encode())) == (
        "it begins with -----BEGIN PRIVATE KEY-----\n***"
    )


@pytest.mark.parametrize(
    "document",
    [
        "--extra-index-url https://ci-user:VALUE@pypi.shop.internal/simple",
        "--index-url https://VALUE@pypi.shop.internal/simple",
        "git+https://x-access-token:VALUE@git.shop.internal/a.git",
        "sqlalchemy.url = postgresql+psycopg://shop:VALUE@db/shop",
        "POSTGRES_PASSWORD=VALUE",
        "export API_KEY='VALUE'",
        "environment:\n  POSTGRES_PASSWORD: VALUE\n",
        "environment:\n  - REDIS_PASSWORD=VALUE # of staging\n",
        'environment: {DB_PASSWORD: "VALUE"}',
        'SECRET_KEY = "VALUE"',
        'app.config["SECRET_KEY"] = "VALUE"',
        'password: SecretStr = SecretStr("VALUE")',
        "secret_key: str = Field(default='VALUE')",
        '{"api_key": "VALUE"}',
        '"source": ["JWT_SECRET = \\"VALUE\\"\\n"]',
        "machine shop.internal login ci password VALUE",
        "ENV AUTH_TOKEN VALUE",
        "_password=VALUE",
        'SECRET_KEY = os.getenv("SECRET_KEY", "VALUE")',
        'SECRET_KEY = os.environ.get("SECRET_KEY") or "VALUE"',
        'token = os.environ["TOKEN"] if PRODUCTION else "VALUE"',
        'SECRET_KEY = config("SECRET_KEY", cast=Secret, default="VALUE")',
        'if token == "VALUE":',
        'SECRET_KEY = """VALUE"""',
        'token: Annotated[str, Field(min_length=3)] = "VALUE"',
        'login(user, password="VALUE")',
        "password: >-\n  VALUE\n",
        "RUN SECRET_KEY=VALUE python manage.py collectstatic",
        "DSN = host=db user=shop password=VALUE dbname=shop",
        "ConnectionString=Server=db;User=sa;Password=VALUE;Encrypt=yes",
        "url = https://shop.internal/hook?token=VALUE&retry=1",
        "postgresql://shop:VALUE/ab@db/shop",
    ],
    ids=lambda text: text.split("VALUE")[0][-30:],
)
@pytest.mark.parametrize("secret", ["7o7SxX8btRMrUx5TN4KZEDdY", "not-a-real-password", "plain-secret-value"])
def test_what_a_document_declares_is_secret(document: str, secret: str) -> None:
    told = document.replace("VALUE", secret)
    assert any(secret in one for one in declared_secrets(told))
    assert secret not in masked(f"error in line 3: {told}", declared_secrets(told))


@pytest.mark.parametrize(
    "document",
    [
        'SECRET_KEY = os.environ["SECRET_KEY"]',
        "password = get_password()",
        "password: ${DB_PASSWORD}",
        "API_KEY={{ api_key }}",
        "url = https://shop.internal/a@b",
        "postgresql://shop:%(password)s@db",
        "postgresql://shop:${PASSWORD}@db",
        'label = {"password": "Passwort"}',
        "token = session_token",
        "DB_PASSWORD=postgres",
        "the password must be long",
        "secretly = 'nothing here'",
        "token_url = '/auth/login'",
        'password = settings["password"] or None',
        'TOKEN = os.environ["API_TOKEN"]',
        "http://localhost:4200/a@b",
        "password=self.password, retries=3",
        "--password=${DB_PASSWORD}",
    ],
)
def test_what_declares_no_secret_is_left_alone(document: str) -> None:
    assert declared_secrets(document) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it began with Zk3vQ9xL and ended", "it began with *** and ended"),  # a part of eight
        ("it began with Zk3vQ9x and ended", "it began with Zk3vQ9x and ended"),
        ("'Zk3vQ9xLmW'...'8TbY2pQr7'", "'***'...'***'"),
        ("Zk3vQ9xLmW8T\nbY2pQr7sNd", "***\n***"),
        ("<Zk3vQ9xLmW8TbY2pQr7sNd>Zk3vQ9xLmW8TbY2pQr7sNd", "<***>***"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_parts_of_a_secret_are_masked(text: str, shown: str) -> None:
    assert masked(text, ["Zk3vQ9xLmW8TbY2pQr7sNd"]) == shown


def test_ordinary_words_stay_though_a_secret_holds_them() -> None:
    text = "slipway: postgresql://localhost refused the password of postgres: authentication failed"
    assert (
        masked(text, ["postgresql-password-authentication-9f", "slipway:Zk3vQ9xLmW8T", "password", "postgres"]) == text
    )
    assert (
        masked("it is postgresql-password-authentication-9f", ["postgresql-password-authentication-9f"]) == "it is ***"
    )


def test_a_value_of_pydantic_in_an_error_is_masked() -> None:
    class Settings(BaseModel):
        limit: int

    secret = "Zk3vQ9xLmW8TbY2pQr7sNdXcVbNmAsDfGhJkLpOiUyTrEwQ" * 2
    with pytest.raises(ValidationError) as error:
        Settings.model_validate({"limit": secret})
    assert secret[:9] in str(error.value)
    shown = masked(str(error.value), [secret])
    assert not any(secret[at : at + PART] in shown for at in range(len(secret)))


# A secret is any text in which masks and words that everybody knows do not stand.
SECRETS = st.lists(
    st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=PART, max_size=60).filter(
        lambda text: not any(word in text.lower() or text.lower() in word for word in ORDINARY)
    ),
    min_size=1,
    max_size=5,
)
WRITTEN = st.sampled_from(
    [
        str,
        lambda text: quote(text, safe=""),
        lambda text: quote(text),
        lambda text: json.dumps(text),
        html.escape,
        repr,
        lambda text: repr(text.encode()),
        quote_plus,
        lambda text: text.encode().hex(),
        lambda text: json.dumps(text).replace("<", "\\u003c").replace("&", "\\u0026").replace(">", "\\u003e"),
        lambda text: text.replace("%", "%%"),
        lambda text: text.replace("$", "$$"),
        lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(b"me:" + text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(b"x" + text.encode()).decode(),
    ]
)


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.data(), SECRETS)
def test_no_part_of_a_secret_survives_whatever_stands_around_it(data: st.DataObject, secrets: list[str]) -> None:
    around = st.one_of(st.text(max_size=20), st.sampled_from(["***", "**", "*", "\n", "://me:", "@host", '"', "%"]))
    pieces = []
    for _ in range(data.draw(st.integers(1, 6))):
        secret = data.draw(st.sampled_from(secrets))
        start = data.draw(st.integers(0, len(secret) - PART))
        cut = secret[start : data.draw(st.integers(start + PART, len(secret)))]
        write = data.draw(WRITTEN)
        pieces += [data.draw(around), data.draw(st.sampled_from([cut, write(secret)])), data.draw(around)]
    text = masked("".join(pieces), secrets)
    for secret in secrets:
        parts = [secret[at : at + PART] for at in range(len(secret) - PART + 1)]
        assert not [part for part in parts if part in text and re.search(r"\w", part)]
        assert secret not in text and quote(secret, safe="") not in text and json.dumps(secret)[1:-1] not in text
    assert masked(text, secrets) == text


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.text(), st.lists(st.text(max_size=30), max_size=5))
def test_to_mask_again_changes_nothing_and_a_text_without_secrets_stays(text: str, secrets: list[str]) -> None:
    shown = masked(text, secrets)
    assert masked(shown, secrets) == shown
    if "***" not in shown:
        assert shown == text
    assert masked(text, []) == text


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.text())
def test_any_document_can_be_asked_for_its_secrets(text: str) -> None:
    for document in (text, f"PASSWORD={text}", f"a://{text}:{text}@b", f'{{"token": {text}}}'):
        assert all(SHORTEST_SECRET <= len(secret) for secret in declared_secrets(document))
    assert all(SHORTEST_SECRET <= len(secret) for secret in secret_values({"A_TOKEN": text}))


@pytest.mark.parametrize(
    "text", ["abcdef ghij\n", "token:", "password = 'x", "a://b:", "a", "Zk3vQ9xLmW8TbY2pQr7sNd", "*", "secret_key "]
)
def test_a_megabyte_and_hundreds_of_secrets_take_time_in_proportion(text: str) -> None:
    secrets = [f"Zk3vQ9xLmW8TbY2pQr7sNd{number:06}" for number in range(400)]

    def prepared(size: int) -> Callable[[], object]:
        document = (text * (size // len(text) + 1))[:size]
        return lambda: (masked(document, secrets), declared_secrets(document))

    assert_in_proportion(prepared, 100_000, 1_000_000)
