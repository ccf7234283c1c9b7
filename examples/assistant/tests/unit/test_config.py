import pytest

from assistant.config import load_settings

GOOD = {
    "DATABASE_URL": "postgresql+psycopg://app:hunter2@db/app",
    "SESSION_SECRET": "0123456789abcdef",
    "SMS_WEBHOOK_SECRET": "0123456789abcdef",
}


def set_environment(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    for name in ("ENVIRONMENT", "LOG_LEVEL", "DB_POOL_SIZE", "SCRYPT_LOG2_N"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (GOOD | changes).items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        load_settings()
    assert stopped.value.code not in (0, None)
    return str(stopped.value.code)


def test_a_complete_environment_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, ENVIRONMENT="production", DB_POOL_SIZE="9")
    settings = load_settings()
    assert settings.environment == "production"
    assert settings.db_pool_size == 9
    assert "hunter2" not in repr(settings)


def test_all_that_is_missing_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_environment(monkeypatch, DATABASE_URL="", SESSION_SECRET="")
    message = complaint(capsys)
    assert message.count("\n") == 0
    assert "DATABASE_URL: missing" in message
    assert "SESSION_SECRET: missing" in message
    assert "SMS_WEBHOOK_SECRET" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://app:hunter2@db/app"),
        ("SESSION_SECRET", "hunter2"),
        ("ENVIRONMENT", "hunter2"),
        ("LOG_LEVEL", "hunter2"),
        ("DB_POOL_SIZE", "0"),
        ("SCRYPT_LOG2_N", "21"),
    ],
)
def test_a_bad_value_is_named_and_not_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_environment(monkeypatch, **{name: value})
    message = complaint(capsys)
    assert name in message
    assert "hunter2" not in message
