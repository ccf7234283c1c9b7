import pytest

from gates.findings import Finding, Severity, make_finding
from gates.folded import fold, fold_services


def found(file: str, message: str = "bad", rule: str = "X1", line: int = 0, **more: str) -> Finding:
    severity = Severity(more.pop("severity", "medium"))
    return make_finding(
        more.pop("tool", "t"), rule, severity, message, file, line=line, key=(rule, file, message), **more
    )


WHY = "it does not say no-new-privileges"
SERVICES = [found("compose.yml", f"{name}: {WHY}", "compose-new-privileges") for name in ("web", "db", "redis")]


@pytest.mark.parametrize(
    ("findings", "rows"),
    [
        ([], []),
        ([found("a.py", line=3)], [("X1", "a.py:3", "bad")]),
        ([found("a.py", line=3), found("b.py")], [("2 x X1", "a.py:3, b.py", "bad")]),
        ([found("a.py"), found("a.py")], [("2 x X1", "a.py", "bad")]),
        ([found(""), found("")], [("2 x X1", "", "bad")]),
        ([found(f"{n}.py") for n in range(7)], [("7 x X1", "0.py, 1.py, 2.py, 3.py, 4.py and 2 more", "bad")]),
        (
            SERVICES,
            [("3 x compose-new-privileges", "compose.yml (web), compose.yml (db), compose.yml (redis)", WHY)],
        ),
        (SERVICES[:1], [("compose-new-privileges", "compose.yml (web)", WHY)]),
        ([found("a.py", rule="compose-x")], [("compose-x", "a.py", "bad")]),
        # what differs in more than its place is not equal
        ([found("a.py"), found("a.py", "worse")], [("X1", "a.py", "bad"), ("X1", "a.py", "worse")]),
        ([found("a.py", "k: bad"), found("a.py", "l: bad")], [("X1", "a.py", "k: bad"), ("X1", "a.py", "l: bad")]),
        ([found("a.py"), found("b.py", rule="X2")], [("X1", "a.py", "bad"), ("X2", "b.py", "bad")]),
        ([found("a.py"), found("b.py", severity="high")], [("X1", "a.py", "bad"), ("X1", "b.py", "bad")]),
        ([found("a.py"), found("b.py", tool="u")], [("X1", "a.py", "bad"), ("X1", "b.py", "bad")]),
        (
            [found("lock", package="p", installed="1", fixed="2"), found("lock", package="q", installed="1")],
            [("X1", "p 1, fixed in 2", "bad"), ("X1", "q 1", "bad")],
        ),
    ],
)
def test_findings_that_differ_only_in_their_place_are_one(
    findings: list[Finding], rows: list[tuple[str, str, str]]
) -> None:
    folded = fold(findings)
    assert [(one.rule, one.where, one.message) for one in folded] == rows
    assert sum(one.count for one in folded) == len(findings)


def test_what_the_mark_tells_apart_is_not_folded() -> None:
    assert [one.count for one in fold(SERVICES)] == [3]
    assert [one.count for one in fold(SERVICES, lambda one: "web" in one.message)] == [1, 2]
    assert fold(SERVICES)[0].fingerprints == ", ".join(one.fingerprint for one in SERVICES)


@pytest.mark.parametrize(
    ("lines", "folded"),
    [
        pytest.param(["service a: why", "x", "service b: why"], ["services a, b: why", "x"], id="equal-ones"),
        pytest.param(
            ["service a: why", "service a: why", "service b: other"], ["service a: why", "service b: other"], id="once"
        ),
        pytest.param(
            ["c.yml:3: service a: why: more", "c.yml:9: service b: why: more", "service c: why: more"],
            ["services a (c.yml:3), b (c.yml:9), c: why: more"],
            id="with-places",
        ),
        pytest.param(["c.yml:3: service a: why"], ["c.yml:3: service a: why"], id="one-keeps-its-form"),
        pytest.param(["why", "service a: why"], ["why", "service a: why"], id="not-of-a-service"),
    ],
)
def test_what_is_the_same_of_several_services_is_told_once(lines: list[str], folded: list[str]) -> None:
    assert fold_services(lines) == folded
