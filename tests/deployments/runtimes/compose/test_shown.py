"""What a person is shown of a file: no value that looks like a secret."""

from typing import Any

import pytest

from deployments.runtimes.compose.shown import without_secrets

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
