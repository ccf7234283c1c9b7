"""What a person is shown of an environment, and what of it is a problem."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from deployments import health
from deployments.health import Probe
from deployments.overview import Overview, Standing, looks_table, overview, standing
from gates.release.condition import Condition, Look
from host import probe
from tests.deployments.stage import Stage

EMPTY = Standing("staging", "http://127.0.0.1:1", "nothing is live", "", "", "", "", ())
BUSY = Standing(
    "staging",
    "http://127.0.0.1:1",
    "v2 (abc) in slot blue",
    "2026-03-01 12:00:00 UTC",
    "v1 (def) in green until 13:00:00 UTC",
    "release of v2 (abc): promoted",
    "release v3 (pid 7, since now)",
    ("waits for approval until noon", "waits for approval until one"),
)
LOOKED = (Probe("/health", Look(Condition.DEGRADED, "a | b"), 0.0126),)


@pytest.fixture
def stage(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(health, "PAUSE_S", 0.0)
    monkeypatch.setattr(probe, "TIMEOUT_S", 60.0)  # a loaded machine answers late
    return Stage(tmp_path, httpserver, rollback_window_seconds=60.0)


@pytest.fixture
def up(stage: Stage) -> Iterator[Stage]:
    stage.place.supervisor.up()
    try:
        yield stage
    finally:
        stage.place.supervisor.down()


def test_a_lost_end_of_the_journal_is_a_problem_and_a_torn_line_is_none(stage: Stage) -> None:
    version = stage.version("old")
    stage.serve(version, "blue")
    file = stage.place.journal.file
    whole = file.read_bytes()
    file.write_bytes(whole + b"half")
    assert not any("journal" in problem for problem in overview(stage.place).problems)
    file.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    (problem,) = [problem for problem in overview(stage.place).problems if "journal" in problem]
    assert problem.startswith(
        "the journal's end after entry 1: at least 1 entries that were on the disk are lost; see docs/"
    )


def test_one_line_says_what_is_live_how_it_is_and_what_happens() -> None:
    assert Overview(EMPTY, "up", (), ()).line() == "staging: nothing is live, up"
    assert Overview(BUSY, "healthy", (), ()).line() == (
        "staging: v2 (abc) in slot blue, healthy; release v3 (pid 7, since now); "
        "waits for approval until noon; waits for approval until one"
    )


def shown(looked: Overview) -> str:
    """Return the page as it is rendered: without the escapes."""
    return looked.page().replace("\\", "")


def test_the_page_of_an_empty_environment_leaves_no_row_empty() -> None:
    rows = shown(Overview(EMPTY, "up", (), ())).splitlines()
    assert rows[:4] == ["# staging", "", "| address | http://127.0.0.1:1 |", "|---|---|"]
    assert rows[4:11] == [
        "| live | nothing is live |",
        "| health | up |",
        "| warm old version | none |",
        "| last operation | none |",
        "| doing now | nothing |",
        "| waits | nothing |",
        "| problems | none |",
    ]


def test_the_page_of_a_busy_environment_says_it_all() -> None:
    looked = Overview(BUSY, "degraded", LOOKED, ("first", "second"))
    page = shown(looked)
    assert "| live | v2 (abc) in slot blue, since 2026-03-01 12:00:00 UTC |" in page
    assert "| waits | waits for approval until noon; waits for approval until one |" in page
    assert "| problems | first; second |" in page
    assert looked.page().rstrip().endswith(looks_table(LOOKED))


def test_what_was_looked_at_is_a_table_that_its_texts_cannot_break() -> None:
    assert looks_table(()) == ""
    head, line, row = looks_table(LOOKED).splitlines()
    assert head.count("|") == line.count("|") == 5
    assert row.startswith("| /health | degraded | a ") and row.endswith(" b | 0.013 |")
    assert "a | b" not in row


def test_an_empty_environment_stands_empty(stage: Stage) -> None:
    assert standing(stage.place, stage.place.ledger()) == Standing(
        "production", stage.place.public_url, "nothing is live", "", "", "", "", ()
    )


def test_the_standing_tells_what_is_live_warm_last_and_waited_for(stage: Stage) -> None:
    old, new = stage.version("old"), stage.version("new")
    stage.promote(old, "blue", "r0")
    live = stage.promote(new, "green", "r1")
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    question = {"id": "q", "run": "r", "deployment": "d", "parameters": {}, "pid": 1, "started": 1.0}
    stage.write("question", **question, expires=expires.isoformat())
    stands = standing(stage.place, stage.place.ledger())
    ended = stage.place.ledger().operations[-1].ended
    assert ended
    assert stands.live == f"{new} in slot green"
    assert stands.since == f"{live.since:%Y-%m-%d %H:%M:%S} UTC"
    assert stands.warm == f"{old} in blue until {ended + timedelta(seconds=60):%H:%M:%S} UTC"
    assert stands.last == f"release of {new}: promoted"
    assert stands.waits == ("waits for approval until 2030-01-02 03:04:05 UTC",)
    assert stands.doing == ""


def test_what_happens_now_is_told_with_who_does_it(stage: Stage) -> None:
    stage.begin(stage.version("new"), "blue")
    with stage.place.lease("release new"):
        looked = overview(stage.place)
    assert looked.standing.last.endswith(": unfinished")
    assert looked.standing.doing.startswith("release new (pid ")
    assert not any("interrupted" in problem for problem in looked.problems)


def test_an_environment_that_is_not_up_is_not_looked_at(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    looked = overview(stage.place)
    assert (looked.health, looked.looked) == ("not up", ())
    assert looked.problems == ("production is not up on this host; run: make up",)
    assert not stage.server.log


def test_what_nobody_ends_is_a_problem(stage: Stage) -> None:
    stage.begin(stage.version("new"), "blue", name="r7")
    assert overview(stage.place).problems[-1] == "the release r7 was interrupted; watch will tidy up"


def test_what_is_up_is_looked_at(up: Stage) -> None:
    assert (overview(up.place).health, overview(up.place).problems) == ("up", ())
    up.promote(up.version("old"), "blue", "r0")
    looked = overview(up.place)
    assert (looked.health, looked.problems) == ("healthy", ())
    assert [one.what for one in looked.looked] == ["/health", "router", "slot blue"]
    up.runtime.deaths["blue"] = "exit 3"
    looked = overview(up.place)
    assert (looked.health, looked.problems) == ("degraded", ("slot blue: exit 3",))


@pytest.mark.parametrize(
    ("status", "word", "health_of_it", "problems"),
    [
        (200, "degraded", "degraded", ()),
        (200, "bad", "unhealthy", ('/health answered 200 but its body says "bad"',)),
    ],
)
def test_an_app_that_calls_itself_degraded_is_no_problem(
    up: Stage, status: int, word: str, health_of_it: str, problems: tuple[str, ...]
) -> None:
    up.promote(up.version("old"), "blue", "r0")
    up.server.clear()
    up.server.expect_request("/health").respond_with_json({"status": word}, status=status)
    looked = overview(up.place)
    assert (looked.health, looked.problems) == (health_of_it, problems)
