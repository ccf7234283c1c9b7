from pathlib import Path

import pytest

from cli.doctor import (
    _shares,
    app_python_row,
    channel_rows,
    cores_row,
    database_rows,
    engine_rows,
    journal_rows,
    python_row,
)
from deployments.journal.journal import Journal
from deployments.runtimes.compose.preconditions import live_restore_problems
from host.docker.engine import Engine
from host.home import Home
from host.resources import control_groups, shares
from settings.pipeline import read_pipeline


@pytest.mark.parametrize(
    ("version", "good", "warns", "move"),
    [
        ((3, 10, 99), False, False, "install Python 3.11 or newer"),
        ((3, 11, 12), True, True, "install 3.11.13 or newer: its tarfile has CVE-2025-4138 and CVE-2025-4330"),
        ((3, 11, 13), True, False, ""),
        ((3, 12, 10), True, True, "install 3.12.11 or newer: its tarfile has CVE-2025-4138 and CVE-2025-4330"),
        ((3, 13, 4), True, False, ""),
        ((3, 14, 0), True, False, ""),
    ],
)
def test_a_python_whose_tarfile_follows_links_out_is_warned_of(
    version: tuple[int, ...], good: bool, warns: bool, move: str
) -> None:
    row = python_row(version)
    assert (row.good, row.warns, row.move) == (good, warns, move)


def test_each_journal_that_lost_its_end_has_a_row(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert journal_rows(home) == []
    lost, torn, damaged, sound = (
        Journal(home.place(name)) for name in ("development", "staging", "production", "other")
    )
    for journal in (lost, torn, damaged, sound):
        for number in range(2):
            journal.write("step", {"name": str(number), "seconds": 1.0})
    first = lost.file.read_bytes().splitlines(keepends=True)[0]
    lost.file.write_bytes(first)
    torn.file.write_bytes(torn.file.read_bytes() + b"half")
    damaged.file.write_bytes(b"x" + damaged.file.read_bytes())
    rows = {row.what: row for row in journal_rows(home)}
    assert {what: (row.good, row.warns) for what, row in rows.items()} == {
        "journal of development": (False, False),
        "journal of staging": (True, True),
        "journal of production": (False, False),
    }
    assert "at least 1 entries that were on the disk are lost" in rows["journal of development"].found
    assert "4 bytes is torn" in rows["journal of staging"].found


def test_the_python_of_the_app_has_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert app_python_row().good is True and app_python_row().found.startswith("3.11: /")
    pipeline = read_pipeline()
    app = pipeline.app.model_copy(update={"python": "3.2"})
    monkeypatch.setattr("cli.doctor.read_pipeline", lambda: pipeline.model_copy(update={"app": app}))
    row = app_python_row()
    assert (row.good, row.found) == (False, "3.2: not found")
    assert "looked in " in row.move and "uv python install 3.2" in row.move


def test_an_engine_that_is_away_is_missing_only_where_it_is_needed() -> None:
    engine = Engine("unix:///nowhere/docker.sock")
    (needed,) = engine_rows(engine, needed=True, live_restore=False)
    assert needed.good is False and "does not answer" in needed.move
    (other,) = engine_rows(engine, needed=False, live_restore=False)
    assert other.good is None and "optional" in other.sign


@pytest.mark.docker
def test_live_restore_is_told_with_the_way_to_set_it(engine: Engine) -> None:
    on = engine.info()["LiveRestoreEnabled"]
    _, noted = engine_rows(engine, needed=True, live_restore=False)
    _, required = engine_rows(engine, needed=True, live_restore=True)
    assert noted.found == required.found == ("on" if on else "off")
    assert noted.warns is not on and noted.good is (True if on else None)
    assert required.good is bool(on) and not required.warns
    assert on or '"live-restore": true' in noted.move and "systemctl reload docker" in noted.move
    assert len(engine_rows(engine, needed=False, live_restore=False)) == 1


def test_only_an_engine_that_says_so_keeps_containers_over_its_restart() -> None:
    assert live_restore_problems({"LiveRestoreEnabled": True}) == []
    assert live_restore_problems({"LiveRestoreEnabled": False}) and live_restore_problems({})


def test_the_cores_for_checks_are_told_and_so_is_a_wrong_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CORES", "3")
    assert (cores_row().found, cores_row().good) == ("3", True)
    monkeypatch.setenv("SLIPWAY_CORES", "0")
    assert cores_row().good is False and "SLIPWAY_CORES" in cores_row().found


@pytest.mark.parametrize(
    ("way", "protected", "warns", "move"),
    [
        (control_groups.Way.GROUPS_V2, True, False, ""),
        (control_groups.Way.GROUPS_V1, False, False, "needs CAP_SYS_RESOURCE"),
        (control_groups.Way.PRIORITIES, True, True, "let Slipway make control groups"),
    ],
)
def test_how_checks_yield_is_told(
    monkeypatch: pytest.MonkeyPatch, way: control_groups.Way, protected: bool, warns: bool, move: str
) -> None:
    monkeypatch.setattr(shares, "best", lambda: way)
    monkeypatch.setattr(shares, "may_protect_memory", lambda: protected)
    row = _shares()
    assert (row.good, row.warns, row.found.startswith(f"{way};")) == (True, warns, True)
    assert row.move.startswith(move)


def test_each_channel_is_checked_and_what_is_wrong_is_told_without_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "notify.toml"
    monkeypatch.setenv("SLIPWAY_NOTIFY", str(file))
    (row,) = channel_rows(Home(tmp_path))
    assert row.good is None and not row.warns
    (tmp_path / "token").write_text("xoxb-the-secret-itself")
    slack = f'[slack]\ntoken = "file:{tmp_path}/token"\nchannel = "C1"\nbase_url = "http://127.0.0.1:9/api/"\n'
    file.write_text(slack + f'[log]\nfile = "{tmp_path}/messages.log"\n[teams]\nurl = "env:NOT_SET_HERE"\n')
    away, log, teams = channel_rows(Home(tmp_path))
    assert away.warns and "Slack: does not answer" in away.found and "itself" not in away.found
    assert (log.what, log.good) == ("messages by log", True)
    assert teams.warns and "teams.url: env:NOT_SET_HERE is empty or not set" in teams.found
    file.write_text('[slack]\ntoken = "xoxb-the-secret-itself"')
    (row,) = channel_rows(Home(tmp_path))
    assert row.good is False and "slack.token" in row.found and "itself" not in row.found


def test_a_database_and_a_redis_of_others_are_asked_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {
        "SLIPWAY_STAGING_DATABASE": "external",
        "SLIPWAY_STAGING_DATABASE_URL": "env:THE_DATABASE",
        "SLIPWAY_STAGING_REDIS_URL": "env:THE_REDIS",
        "THE_DATABASE": "mysql://shop:hunter2hunter2@127.0.0.1:1/shop",
        "THE_REDIS": "redis://:hunter2hunter2@127.0.0.1:1/0",
    }.items():
        monkeypatch.setenv(key, value)
    database, redis = database_rows()
    assert (database.what, redis.what) == ("database of staging", "Redis of staging")
    assert redis.good is False and "the external Redis at 127.0.0.1:1 does not answer" in redis.found
    assert database.good is False and ("the external MySQL at" in database.found or "no mariadb" in database.found)
    assert "hunter2" not in database.found + redis.found
