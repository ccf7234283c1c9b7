import hashlib

import pytest
from pydantic import ValidationError

from gates.findings import Finding, Severity, fingerprint


def test_severities_are_ranked_from_the_worst_on() -> None:
    assert [one.rank for one in (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)] == [0, 1, 2, 3]


def test_a_fingerprint_is_what_waivers_already_name() -> None:
    # Waivers in people's repositories hold these: they must stay as they are.
    assert fingerprint("B602", "app.py", "run(line)") == hashlib.sha256(b"B602\0app.py\0run(line)").hexdigest()[:24]
    assert fingerprint("B602", "app.py", "run(line)") == "8dd67792ed8d50c38b59b2ed"


def test_white_space_within_a_part_does_not_count() -> None:
    assert fingerprint("B602", " run( line )\n") == fingerprint("B602", "run(\tline)")


@pytest.mark.parametrize(
    "parts", [("B602", "app.pyrun"), ("B602app.py", "run"), ("app.py", "B602", "run"), ("B602", "app.py", "run", "")]
)
def test_other_parts_have_another_fingerprint(parts: tuple[str, ...]) -> None:
    assert fingerprint(*parts) != fingerprint("B602", "app.py", "run")


def test_a_finding_cannot_be_changed_and_has_no_place_unless_told() -> None:
    finding = Finding(tool="t", rule="r", severity=Severity.LOW, message="m", fingerprint="f")
    assert (finding.file, finding.line, finding.package, finding.aliases, finding.also_by) == ("", 0, "", (), ())
    with pytest.raises(ValidationError):
        finding.message = "n"
