"""What people are told."""

import pytest

from gates.findings import Finding, Severity, fingerprint
from gates.notify.messages import Tone, as_text
from gates.notify.release_notes import notes_of
from gates.notify.texts import (
    Alert,
    CiNews,
    ReleaseProgress,
    ScanNews,
    alert_message,
    is_news,
    progress_message,
    scan_message,
)

V2 = {"app": "assistant", "environment": "production", "version": "v2", "commit": "c" * 40, "before": "v1"}


@pytest.mark.parametrize(
    ("kind", "outcome", "tone", "said"),
    [
        ("release", "", Tone.WAITING, "release of assistant v2 in production"),
        ("release", "promoted", Tone.GOOD, "assistant v2 serves production"),
        ("release", "rolled back", Tone.BAD, "assistant v2 was rolled back in production"),
        ("release", "restored", Tone.BAD, "release of assistant v2 in production: restored"),
        ("rollback", "rolled back", Tone.GOOD, "production went back to assistant v2"),
        ("rollback", "restored", Tone.BAD, "rollback of assistant v2 in production: restored"),
    ],
)
def test_how_a_release_went(kind: str, outcome: str, tone: Tone, said: str) -> None:
    message = progress_message(ReleaseProgress(kind=kind, outcome=outcome, runbook_url="http://runbook", **V2))
    assert (message.headline, message.tone) == (said, tone)
    assert any(link.url == "http://runbook" for link in message.links) is (tone is Tone.BAD)


@pytest.mark.parametrize(
    ("good", "commit", "before", "told"),
    [
        (True, "a", None, CiNews.NOTHING),
        (True, "b", "a", CiNews.RECOVERY),
        (False, "a", None, CiNews.FAILURE),
        (False, "a", "a", CiNews.NOTHING),
        (False, "b", "a", CiNews.FAILURE),
    ],
)
def test_what_is_news(good: bool, commit: str, before: str | None, told: CiNews) -> None:
    assert is_news(good, commit, before) is told


def finding(severity: Severity, rule: str) -> Finding:
    return Finding(tool="x", rule=rule, severity=severity, message="m", fingerprint=fingerprint(rule))


def test_new_findings_come_first_worst_first_and_what_nobody_saw_before_them() -> None:
    new = (finding(Severity.LOW, "low"), finding(Severity.CRITICAL, "worst"))
    message = scan_message(ScanNews("v2", new, (finding(Severity.HIGH, "old"),), ("secrets: no tool",), "http://ui"))
    assert message.tone is Tone.BAD
    assert [line.split(":")[0] for line in message.lines] == ["nobody looked", "new, critical", "new, low"]
    assert dict(message.facts) == {"new": "2", "known": "1"}
    assert scan_message(ScanNews("v2", (), new, (), "")).tone is Tone.GOOD


def test_an_alert_and_its_end() -> None:
    assert alert_message(Alert("production", "unhealthy", "503", "http://runbook")).links
    over = alert_message(Alert("production", "unhealthy", "200", "http://runbook", over=True))
    assert over.tone is Tone.GOOD and over.headline.endswith("is over") and not over.links
    assert as_text(over) == "✓ production: unhealthy is over\n- 200"


def test_release_notes_have_sections() -> None:
    notes = notes_of(
        [
            ("a" * 40, "Ann", "feat(api)!: no v1 any more"),
            ("b" * 40, "Bob", "fix: it works"),
            ("c" * 40, "Cy <x>", "Merge @everyone #1"),
        ]
    )
    assert [line for line in notes.splitlines() if line.startswith("#")] == ["### Breaking", "### Fixed", "### Changes"]
    assert "@everyone" not in notes and "<x>" not in notes
    assert notes_of([]) == "No commits are known."
    assert "and 5 more commits" in notes_of([("a" * 40, "A", "x")] * 205)
