from pathlib import Path

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


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "session_secret").write_text("fedcba9876543210\n")
    set_environment(monkeypatch, SESSION_SECRET="")
    monkeypatch.setenv("SESSION_SECRET_FILE", str(tmp_path / "session_secret"))
    # Set first, so that the test's end takes away what the file puts there.
    monkeypatch.setenv("SESSION_SECRET", "")
    assert load_settings().session_secret.get_secret_value() == "fedcba9876543210"


def test_a_secret_file_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_environment(monkeypatch)
    monkeypatch.setenv("SESSION_SECRET_FILE", str(tmp_path / "absent"))
    assert "SESSION_SECRET_FILE: No such file" in complaint(capsys)


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
