import pytest

from gates.release.downtime import exceeded


@pytest.mark.parametrize(("down_s", "limit_s"), [(0, 0), (30, 30), (29.9, 30)])
def test_within_its_limit_nothing_is_said(down_s: float, limit_s: float) -> None:
    assert exceeded(down_s, limit_s) == ""


@pytest.mark.parametrize(
    ("down_s", "limit_s", "said"), [(30.06, 30, "30.1 s, limit 30 s"), (0.5, 0, "0.5 s, limit 0 s")]
)
def test_above_it_both_figures_are_said(down_s: float, limit_s: float, said: str) -> None:
    assert f"down for {said} (MAX_DOWNTIME_SECONDS)" in exceeded(down_s, limit_s)
