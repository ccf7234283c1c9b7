import pytest

from gates.scans.licences import (
    AllOf,
    AnyOf,
    Expression,
    Licences,
    One,
    Origin,
    Override,
    Package,
    Stated,
    judge_licences,
    licence_text,
    not_allowed,
)

MIT, GPL, BSD = One("MIT"), One("GPL-3.0-only"), One("BSD-3-Clause")
ALLOWED = frozenset({"MIT", "BSD-3-Clause"})
RULES = Licences(
    allowed=tuple(ALLOWED),
    classifiers={"License :: MIT": "MIT", "License :: GPL": "GPL-3.0-only", "License :: OSI": ""},
    texts={"mit license": "MIT"},
    override=(Override(package="odd", version="1.0", expression="MIT", reason="read its LICENSE file"),),
)


@pytest.mark.parametrize(
    ("expression", "refused"),
    [
        (MIT, []),
        (GPL, ["GPL-3.0-only"]),
        (AnyOf((GPL, MIT)), []),
        (AnyOf((GPL, One("AGPL-3.0-only"))), ["GPL-3.0-only", "AGPL-3.0-only"]),
        (AllOf((MIT, BSD)), []),
        (AllOf((MIT, GPL)), ["GPL-3.0-only"]),
        (AllOf((BSD, AnyOf((GPL, MIT)))), []),
        (AnyOf((AllOf((MIT, GPL)), BSD)), []),
        (One("MIT WITH Some-exception"), []),
        (One("GPL-2.0-only WITH Classpath-exception-2.0"), ["GPL-2.0-only WITH Classpath-exception-2.0"]),
    ],
)
def test_or_needs_one_and_needs_all(expression: Expression, refused: list[str]) -> None:
    assert not_allowed(expression, ALLOWED) == refused


def test_an_exception_that_is_listed_is_allowed() -> None:
    name = "GPL-2.0-only WITH Classpath-exception-2.0"
    assert not_allowed(One(name), frozenset({name})) == []


@pytest.mark.parametrize(
    ("package", "found"),
    [
        (Package("odd", "1.0", "python", True, expression="GPL-3.0-only"), (Origin.OVERRIDE, "MIT")),
        (Package("odd", "1.1", "python", True, expression="GPL-3.0-only"), (Origin.EXPRESSION, "GPL-3.0-only")),
        (
            Package("a", "1", "python", True, "BSD-3-Clause", ("License :: MIT",), "x"),
            (Origin.EXPRESSION, "BSD-3-Clause"),
        ),
        (Package("a", "1", "python", True, "", ("License :: MIT",), "GPL"), (Origin.CLASSIFIER, "(MIT)")),
        (
            Package("a", "1", "python", True, "", ("License :: MIT", "License :: GPL")),
            (Origin.CLASSIFIER, "(MIT) AND (GPL-3.0-only)"),
        ),
        (Package("a", "1", "python", True, "", ("License :: OSI", "License :: MIT"), "x"), (Origin.TEXT, "x")),
        (Package("a", "1", "python", True, "", ("Topic :: X",), "MIT License"), (Origin.TEXT, "MIT")),
        (Package("a", "1", "python", True, "", (), "word " * 99), (Origin.NOWHERE, "")),
        (Package("a", "1", "python", True), (Origin.NOWHERE, "")),
        (Package("a", "1", "npm", True, expression="MIT"), (Origin.NPM, "MIT")),
    ],
)
def test_the_most_trusted_place_counts(package: Package, found: tuple[Origin, str]) -> None:
    assert licence_text(package, RULES) == found


def stated(name: str, expression: Expression | None, *, shipped: bool = True, text: str = "x") -> Stated:
    return Stated(Package(name, "1", "python", shipped), Origin.EXPRESSION, text, expression)


def test_what_is_shipped_is_judged_and_what_is_not_is_noted() -> None:
    findings, notes = judge_licences(
        [stated("good", MIT), stated("bad", GPL), stated("unknown", None), stated("tool", GPL, shipped=False)], RULES
    )
    assert [(one.rule, one.package) for one in findings] == [
        ("licence-not-allowed", "bad"),
        ("licence-unknown", "unknown"),
    ]
    assert notes == ["not shipped: tool 1: GPL-3.0-only is not allowed"]


def test_an_override_is_shown_with_its_reason() -> None:
    used = Stated(Package("odd", "1.0", "python", True), Origin.OVERRIDE, "MIT", MIT)
    assert judge_licences([used], RULES)[1] == ["override: odd: MIT: read its LICENSE file"]
    assert judge_licences([stated("good", MIT)], RULES)[1] == []


def test_an_override_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="reason"):
        Override(package="a", expression="MIT", reason="")
