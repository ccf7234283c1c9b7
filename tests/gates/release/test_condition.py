"""Conditions over several looks: both sides of every limit, and what flaps."""

import pytest

from gates.release.condition import Condition, Damping, Look, judge_condition, worst

LETTERS = {"g": Condition.HEALTHY, "d": Condition.DEGRADED, "b": Condition.UNHEALTHY}
NAMES = {"?": Condition.UNKNOWN, **LETTERS}


def looks(letters: str) -> list[Look]:
    return [Look(LETTERS[letter], f"{letter}{number}") for number, letter in enumerate(letters)]


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        ("?", "", "?"),
        ("?", "gg", "?"),  # too little is known
        ("?", "ggg", "g"),
        ("?", "bb", "?"),
        ("?", "bbb", "b"),
        ("g", "gggbb", "g"),  # two bad looks of five are not enough
        ("g", "ggbbb", "b"),
        ("g", "gbgbb", "b"),  # not in a row
        ("g", "bbbggggg", "g"),  # long ago
        ("g", "ggddd", "d"),
        ("g", "gddbb", "d"),  # bad counts as at least degraded
        ("d", "dgggg", "d"),
        ("d", "ggggg", "g"),
        ("b", "bgggg", "b"),  # one look short of recovery
        ("b", "gggg", "b"),
        ("b", "ggggg", "g"),
        ("b", "dgddg", "d"),
        ("b", "gdgdg", "g"),  # better than bad for five looks; degraded in two of them, which is not enough
        ("b", "gbgbg", "b"),
    ],
)
def test_a_condition_is_entered_and_left_after_enough_looks(before: str, seen: str, after: str) -> None:
    assert judge_condition(NAMES[before], looks(seen)).condition is NAMES[after]


def test_an_environment_that_flaps_is_told_once() -> None:
    seen: list[Look] = []
    condition, turns = Condition.UNKNOWN, []
    for letter in "gggg" + "bg" * 50 + "ggggg":
        seen += looks(letter)
        now = judge_condition(condition, seen).condition
        if now is not condition:
            turns.append(now)
        condition = now
    assert turns == [Condition.HEALTHY, Condition.UNHEALTHY, Condition.HEALTHY]


def test_the_reason_is_of_the_newest_look_that_speaks_for_it() -> None:
    assert judge_condition(Condition.HEALTHY, looks("gbbbg")).reason == "b3"
    assert judge_condition(Condition.HEALTHY, looks("bbbbb")).reason == "b4"
    assert judge_condition(Condition.HEALTHY, looks("gggbg")).reason == "g4"
    assert judge_condition(Condition.UNKNOWN, looks("gggb")).reason == "g2"
    assert judge_condition(Condition.HEALTHY, looks("bdbdd")).reason == "d4"
    assert judge_condition(Condition.HEALTHY, looks("bdbdb")).reason == "b4"
    assert judge_condition(Condition.UNKNOWN, []).reason == ""


def test_damping_can_be_another() -> None:
    assert judge_condition(Condition.HEALTHY, looks("b"), Damping(1, 1)).condition is Condition.UNHEALTHY
    assert judge_condition(Condition.UNHEALTHY, looks("g"), Damping(1, 1)).condition is Condition.HEALTHY


def test_the_worst_of_one_go_counts_with_all_its_reasons() -> None:
    seen = [Look(Condition.HEALTHY, "a"), Look(Condition.DEGRADED, "b"), Look(Condition.UNHEALTHY, "c")]
    assert worst(seen) == Look(Condition.UNHEALTHY, "c")
    assert worst([*seen, Look(Condition.UNHEALTHY, "d")]).reason == "c; d"
    assert worst([]).condition is Condition.UNKNOWN


def test_conditions_are_ranked_from_good_to_bad() -> None:
    assert [one.rank for one in (NAMES["?"], NAMES["g"], NAMES["d"], NAMES["b"])] == [0, 1, 2, 3]


def test_damping_is_three_of_five_unless_told() -> None:
    assert Damping() == Damping(enough=3, of=5)


def test_where_nothing_was_looked_at_nothing_is_known() -> None:
    assert worst([]) == Look(Condition.UNKNOWN, "nothing was looked at")


def test_a_condition_that_stays_without_a_look_of_its_own_is_told_by_the_newest_that_is_as_bad() -> None:
    assert judge_condition(Condition.DEGRADED, looks("bbggg")) == Look(Condition.DEGRADED, "b1")
    assert judge_condition(Condition.UNHEALTHY, looks("gggg")) == Look(Condition.UNHEALTHY, "")


def test_only_the_newest_looks_count_and_speak() -> None:
    assert judge_condition(Condition.HEALTHY, looks("bbbgg"), Damping(1, 2)) == Look(Condition.HEALTHY, "g4")
    assert judge_condition(Condition.UNHEALTHY, looks("bgg"), Damping(2, 2)) == Look(Condition.HEALTHY, "g2")
    assert judge_condition(Condition.UNHEALTHY, looks("gbg"), Damping(2, 2)) == Look(Condition.UNHEALTHY, "b1")
