import pytest

from gates.findings import Severity, fingerprint
from gates.scans.licences import (
    AllOf,
    AnyOf,
    Expression,
    Licence,
    Licences,
    Origin,
    Override,
    Package,
    Stated,
    judge_licences,
    licence_text,
    not_allowed,
    origins,
)

MIT, GPL, BSD = Licence("MIT"), Licence("GPL-3.0-only"), Licence("BSD-3-Clause")
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
        (AnyOf((GPL, Licence("AGPL-3.0-only"))), ["GPL-3.0-only", "AGPL-3.0-only"]),
        (AllOf((MIT, BSD)), []),
        (AllOf((MIT, GPL)), ["GPL-3.0-only"]),
        (AllOf((BSD, AnyOf((GPL, MIT)))), []),
        (AnyOf((AllOf((MIT, GPL)), BSD)), []),
        (Licence("MIT WITH Some-exception"), []),
        (Licence("GPL-2.0-only WITH Classpath-exception-2.0"), ["GPL-2.0-only WITH Classpath-exception-2.0"]),
    ],
)
def test_or_needs_one_and_needs_all(expression: Expression, refused: list[str]) -> None:
    assert not_allowed(expression, ALLOWED) == refused


def test_an_exception_that_is_listed_is_allowed() -> None:
    name = "GPL-2.0-only WITH Classpath-exception-2.0"
    assert not_allowed(Licence(name), frozenset({name})) == []


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
        (Package("a", "1", "npm", True, expression="Own words"), (Origin.NPM, "Own words")),
        (Package("a", "1", "npm", True, expression="The MIT License."), (Origin.NPM, "MIT")),
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


@pytest.mark.parametrize(
    ("length", "origin"), [(0, Origin.NOWHERE), (1, Origin.TEXT), (200, Origin.TEXT), (201, Origin.NOWHERE)]
)
def test_a_free_text_of_some_length_is_a_licence_and_a_whole_licence_is_none(length: int, origin: Origin) -> None:
    package = Package("a", "1", "python", True, text="x" * length)
    assert licence_text(package, RULES) == (origin, "x" * length if origin is Origin.TEXT else "")


@pytest.mark.parametrize(
    ("override", "applies"),
    [
        ({"package": "a", "version": "1"}, True),
        ({"package": "a", "version": ""}, True),
        ({"package": "a", "version": "2"}, False),
        ({"package": "b", "version": ""}, False),
        ({"package": "b", "version": "1"}, False),
    ],
)
def test_an_override_is_for_one_package_and_its_version(override: dict[str, str], applies: bool) -> None:
    rules = Licences(
        allowed=("MIT",), override=(Override(expression="MIT", reason="read its LICENSE file", **override),)
    )
    found = licence_text(Package("a", "1", "python", True, expression="ISC"), rules)
    assert found == ((Origin.OVERRIDE, "MIT") if applies else (Origin.EXPRESSION, "ISC"))


def test_classifiers_are_told_once_each_and_others_than_licences_are_not_asked() -> None:
    package = Package("a", "1", "python", True, classifiers=("Topic :: X", "License :: MIT", "License :: MIT"))
    assert licence_text(package, RULES) == (Origin.CLASSIFIER, "(MIT)")
    unknown = Package("a", "1", "python", True, classifiers=("License :: MIT", "License :: New"))
    assert licence_text(unknown, RULES) == (Origin.NOWHERE, "")


def test_why_a_package_may_not_be_shipped_is_told_with_where_it_stands() -> None:
    both = AllOf((GPL, Licence("AGPL-3.0-only"), GPL))
    findings, _ = judge_licences([stated("bad", both), stated("odd", None), stated("none", None, text="")], RULES)
    assert [one.message for one in findings] == [
        "bad 1 (python): GPL-3.0-only, AGPL-3.0-only is not allowed (License-Expression)",
        "odd 1 (python): 'x' is no SPDX expression (License-Expression)",
        "none 1 (python): its metadata names no licence (License-Expression)",
    ]
    assert [(one.tool, one.severity, one.installed) for one in findings] == [("licences", Severity.HIGH, "1")] * 3
    assert findings[0].fingerprint == fingerprint("licence-not-allowed", "python", "bad", "x")


def test_long_texts_are_told_in_short() -> None:
    findings, _ = judge_licences([stated("a", None, text="t" * 101), stated("b" * 600, GPL)], RULES)
    assert findings[0].message == f"a 1 (python): '{'t' * 100}' is no SPDX expression (License-Expression)"
    assert len(findings[1].message) == 500


def test_where_licences_were_found_is_counted() -> None:
    assert origins(
        [stated("a", MIT), stated("b", MIT), Stated(Package("c", "1", "npm", True), Origin.NPM, "MIT", MIT)]
    ) == ("2 License-Expression, 1 package-lock.json")
    assert origins([]) == ""


@pytest.mark.parametrize(("length", "good"), [(9, False), (10, True)])
def test_a_reason_has_ten_characters(length: int, good: bool) -> None:
    if good:
        assert Override(package="a", expression="MIT", reason="r" * length).version == ""
    else:
        with pytest.raises(ValueError, match="reason"):
            Override(package="a", expression="MIT", reason="r" * length)


def test_rules_that_allow_nothing_or_overrides_that_say_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed"):
        Licences(allowed=())
    assert Licences(allowed=("MIT",)).override == ()
    with pytest.raises(ValueError, match="expression"):
        Override(package="a", expression="", reason="read its LICENSE file")
    assert Override(package="a", expression="0", reason="read its LICENSE file").expression == "0"
