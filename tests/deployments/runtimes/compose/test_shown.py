"""What a person is shown of a file: no value that looks like a secret."""

from collections.abc import Callable
from typing import Any

import pytest

from deployments.runtimes.compose.shown import without_secrets
from tests.growth import assert_in_proportion

SECRET = "plain-secret-value"


def shown(**service: Any) -> Any:
    return without_secrets({"name": "shop", "services": {"web": service}})["services"]["web"]


@pytest.mark.parametrize(
    "service",
    [
        {"environment": {"POSTGRES_PASSWORD": SECRET}},
        {"environment": {"DB_PASS": SECRET}},
        {"environment": {"REDIS_PWD": SECRET}},
        {"environment": {"SIGNING_KEY": SECRET}},
        {"environment": {"DJANGO_SECRET_KEY": SECRET}},
        {"environment": {"PASSPHRASE": SECRET}},
        {"environment": {"DATABASE_URL": f"postgresql+asyncpg://app:{SECRET}@db/shop"}},
        {"environment": {"BROKER": f"amqp://:{SECRET}@mq//"}},
        {"environment": {"SENTRY_DSN": SECRET}},
        {"environment": {"ODD": "0123456789abcdef0123456789abcdef" + SECRET.replace("-", "")}},
        {"environment": {"APP_OPTIONS": f"user=me password={SECRET} sslmode=require"}},
        {"environment": {"POSTGRES_PASSWORD": SECRET}, "command": ["serve", f"-x{SECRET}"]},
        {"environment": {"POSTGRES_PASSWORD": SECRET}, "healthcheck": {"test": ["CMD", "psql", "-w", SECRET]}},
        {"command": ["redis-server", "--requirepass", SECRET]},
        {"command": f"redis-server --requirepass {SECRET}"},
        {"command": f"serve --db-password={SECRET} --port 80"},
        {"entrypoint": ["serve", f"--token={SECRET}"]},
        {"entrypoint": ["serve", "--api-key", SECRET]},
        {"healthcheck": {"test": ["CMD-SHELL", f"curl -H 'Authorization: Bearer {SECRET}' http://localhost"]}},
        {"healthcheck": {"test": f"curl http://me:{SECRET}@localhost"}},
        {"labels": {"traefik.http.middlewares.a.basicauth.users": f"me:$$apr1$${SECRET}"}},
        {"healthcheck": {"test": ["CMD", "redis-cli", "-a", SECRET, "ping"]}},
        {"healthcheck": {"test": f"redis-cli -h cache -a {SECRET} ping | grep PONG"}},
        {"healthcheck": {"test": ["CMD", "mysqladmin", "ping", "-h", "localhost", f"-p{SECRET}"]}},
        {"healthcheck": {"test": ["CMD-SHELL", f"mariadb-admin ping -uroot -p{SECRET} || exit 1"]}},
        {"healthcheck": {"test": ["CMD", "curl", "-f", "-u", f"admin:{SECRET}", "http://localhost"]}},
        {"healthcheck": {"test": ["CMD", "curl", "-H", f"X-Api-Key: {SECRET}", "http://localhost"]}},
        {"healthcheck": {"test": ["CMD", "curl", "-H", f"Authorization: {SECRET}"]}},
        {"healthcheck": {"test": f"curl --user admin:{SECRET}"}},
        {"command": ["serve", f"--basic_auth=admin:{SECRET}"]},
        {"command": ["serve", "--basic-auth", f"admin:{SECRET}"]},
        {"command": ["serve", "--secret-key", SECRET]},
        {"command": ["flower", "--auth", f"u:{SECRET}"]},
        {"command": ["mongosh", "-u", "root", "-p", SECRET]},
        {"command": f"mongosh -u root -p '{SECRET}' --eval x"},
        {"entrypoint": ["sshpass", "-p", SECRET, "ssh", "x"]},
        {"post_start": [{"command": ["ldapsearch", "-w", SECRET]}]},
        {"environment": {"HOOK": f"https://hooks.slack.com/services/T000/B000/{SECRET}"}},
        {"environment": {"HOOK": f"https://discord.com/api/webhooks/1/{SECRET}"}},
        {"environment": {"JWT": SECRET}},
        {"environment": {"COOKIE_HMAC": SECRET}},
        {"environment": {"DOOR_PIN": SECRET}},
        {"post_start": [{"command": ["x"], "environment": {"A": f"token: {SECRET}"}}]},
    ],
)
def test_what_looks_like_a_secret_is_masked(service: dict[str, Any]) -> None:
    said = str(shown(**service))
    assert SECRET not in said and SECRET.replace("-", "") not in said and "***" in said


@pytest.mark.parametrize(
    "service",
    [
        {
            "environment": {
                "POSTGRES_PASSWORD_FILE": "/run/secrets/password",
                "AUTH_ENABLED": "true",
                "TOKEN_TTL": "3600",
            }
        },
        {"environment": {"TOKEN": "${TOKEN}", "DSN": "db://u:${TOKEN}@db/x", "DEBUG_TOKEN": "", "USE_AUTH": "off"}},
        {
            "environment": {
                "URL": "https://example.org/a?b=c",
                "LOG_LEVEL": "info",
                "WORKERS": 4,
                "FLAG": True,
                "N": None,
            }
        },
        {"environment": {"NAMES": "a,b,c", "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/application/of/ours/bin"}},
        {"image": "sha256:" + "0a" * 32, "labels": {"slipway.digest": "0a" * 32, "slipway.role": "slot"}},
        {"command": ["gunicorn", "-b", "0.0.0.0:8000", "app:app"], "secrets": [{"source": "db_password"}]},
        {
            "command": ["redis-cli", "-a", "${TOKEN}", "ping"],
            "healthcheck": {"test": "redis-cli -a $$REDISCLI_AUTH ping"},
        },
        {"command": ["mysqladmin", "ping", "-h", "db", "-P", "3306"], "entrypoint": ["cp", "-a", "x", "y"]},
        {"command": ["curl", "-fsS", "-u", "admin:${TOKEN}", "-o", "/dev/null", "http://localhost:8000/health"]},
        {"command": ["serve", "-p", "8000", "--auth-mode", "basic", "--author", "me", "--token-ttl", "3600"]},
        {"command": ["mkdir", "-p", "/data"], "environment": {"JWT_ALGORITHM": "HS256", "PINNED": "x", "SPIN": "y"}},
        {"command": ["gunicorn", "--user", "app:app", "-u", "1000:1000"]},
        {"command": "serve --token ${TOKEN}", "volumes": [{"source": "tokens", "target": "/secret/x"}]},
        {
            "command": ["serve", "--token", "${TOKEN}"],
            "healthcheck": {"test": ["CMD-SHELL", "curl -f localhost || exit 1"]},
        },
    ],
)
def test_all_else_is_shown(service: dict[str, Any]) -> None:
    assert shown(**service) == service


def test_the_content_of_a_config_is_held_to_the_same() -> None:
    config = {"content": f"[db]\nhost = db\npassword = {SECRET}\ntoken = ${{TOKEN}}\n"}
    said = without_secrets({"services": {}, "configs": {"ini": config}})["configs"]["ini"]["content"]
    assert said == "[db]\nhost = db\npassword = ***\ntoken = ${TOKEN}\n"


@pytest.mark.parametrize(
    "token",
    [
        "AKIA" + "ABCDEFGH12345678",
        "ghp_" + "a1" * 18,
        "xoxb-" + "1234567890-abc",
        "sk_live_" + "a1b2" * 6,
        "eyJhbGciOiJI" + ".eyJzdWIiOiIx" + ".c2lnbmF0dXJl",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
    ],
)
def test_tokens_are_known_by_their_form(token: str) -> None:
    assert token not in str(shown(command=["x", f"a={token}"], environment={"A": f"x {token}"}))


def test_an_option_that_stands_twice_is_masked_twice() -> None:
    word = "hunter2x"
    said = shown(command=f"curl --user admin:{word} -U 'b:{word}' localhost", entrypoint=f"mysql -p{word} -p{word}")
    assert said == {"command": "curl --user admin:*** -U 'b:***' localhost", "entrypoint": "mysql -p*** -p***"}


@pytest.mark.parametrize(
    "unit", ["mysql ", "curl -u ", "--auth", "password ", "https://hooks.slack.com/", "redis-cli -", "://a:", "eyJ"]
)
def test_a_longer_command_takes_longer_in_proportion(unit: str) -> None:
    def prepared(size: int) -> Callable[[], object]:
        words = [unit * (size // len(unit))]
        return lambda: shown(command=words)

    assert_in_proportion(prepared, 20_000, 200_000)
