"""How a typed run ends: its last line and its exit code."""

import pytest
import typer

from cli.releases.ends import OTHER, exit_code, leave


@pytest.mark.parametrize(
    ("flow", "state", "code"),
    [
        pytest.param("release", "Promoted", 0, id="promoted"),
        pytest.param("release", "RolledBack", 13, id="a-release-that-was-rolled-back"),
        pytest.param("rollback", "RolledBack", 0, id="a-rollback"),
        pytest.param("rollback", "NothingToDo", 0, id="nothing-to-roll-back"),
        pytest.param("rollback", "Promoted", OTHER, id="no-end-of-a-rollback"),
        pytest.param("release", "Completed", OTHER, id="green-and-not-what-was-asked"),
    ],
)
def test_only_what_was_asked_for_is_zero(flow: str, state: str, code: int) -> None:
    assert exit_code(flow, state) == code


def test_the_last_line_is_the_state_and_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    leave("release", "Promoted", "v2 serves")
    with pytest.raises(typer.Exit) as left:
        leave("release", "Blocked", "the lease is held [by run 3]")
    out = capsys.readouterr()
    assert (out.out, out.err) == ("Promoted: v2 serves\n", "error: Blocked: the lease is held [by run 3]\n")
    assert left.value.exit_code == 10
