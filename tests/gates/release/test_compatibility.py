import pytest

from gates.check import Outcome
from gates.migrations.steps import Kind, Step
from gates.release.compatibility import Tried, judge_compatibility, nothing_to_try

ONE = Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE a")
TWO = Step(revision="2", kind=Kind.CONTRACT, reason="DROP TABLE a")


@pytest.mark.parametrize(
    ("live", "steps", "known", "migrates", "why"),
    [
        (False, [ONE], None, True, "nothing is live yet"),
        (True, [ONE], [ONE], False, "the app has no migrations"),
        (True, [ONE], [ONE], True, "no migration is pending"),
        (True, [], [ONE], True, "no migration is pending"),
        (True, [ONE, TWO], [ONE], True, ""),
        (True, None, [ONE], True, ""),
        (True, [ONE], None, True, ""),
    ],
)
def test_only_a_live_version_and_a_pending_migration_give_something_to_try(
    live: bool, steps: list[Step] | None, known: list[Step] | None, migrates: bool, why: str
) -> None:
    assert nothing_to_try(live, steps, known, migrates) == why


def test_what_was_tried_is_told_with_version_environment_and_migrations() -> None:
    good = judge_compatibility(Tried("v1", "production", ("2", "3"), "", "5 passed"))
    assert good.outcome is Outcome.PASSED
    assert good.reason == "v1, live in production, on the schema after migration 2, 3: 5 passed"
    bad = judge_compatibility(Tried("v1", "production", (), "not healthy", ""))
    assert bad.outcome is Outcome.FAILED and bad.reason.endswith("migration of this commit: not healthy")


@pytest.mark.parametrize(("count", "named"), [(5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5")])
def test_five_migrations_are_named(count: int, named: str) -> None:
    revisions = tuple(str(number + 1) for number in range(count))
    check = judge_compatibility(Tried("v1", "production", revisions, "", "ok"))
    assert check.reason == f"v1, live in production, on the schema after migration {named}: ok"
    assert check.name == "compatibility"


@pytest.mark.parametrize("trouble", [True, False])
def test_a_long_story_is_cut_at_1000_characters(trouble: bool) -> None:
    story = "t" * 2000
    tried = Tried("v1", "production", ("2",), story if trouble else "", "" if trouble else story)
    start = "v1, live in production, on the schema after migration 2: "
    assert judge_compatibility(tried).reason == start + "t" * (1000 - len(start))


def test_migrations_that_nobody_judged_on_either_side_are_tried() -> None:
    assert nothing_to_try(True, None, None, True) == ""
