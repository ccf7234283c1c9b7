from datetime import UTC, date, datetime, timedelta

import pytest

from gates.scans.waivers import Proof, Refused, Waiver, Waivers, judge_waivers

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
TODAY = NOW.date()
MARK = "a" * 24
PROOF = Proof(added=NOW - timedelta(days=10))


def waiver(expires: date = TODAY + timedelta(days=30), approver: str = "Robin", mark: str = MARK) -> Waiver:
    return Waiver(fingerprint=mark, approver=approver, reason="the function is never reached", expires=expires)


def judged(one: Waiver, proof: Proof = PROOF, found: dict[str, str] | None = None) -> Waivers:
    return judge_waivers([one], [], {MARK: proof}, ["Robin"], {MARK: ""} if found is None else found, NOW)


def test_a_proven_waiver_counts() -> None:
    got = judged(waiver())
    assert got.good == {MARK: waiver()} and not got.refused and not got.unneeded


@pytest.mark.parametrize(
    ("one", "proof", "found", "why"),
    [
        (waiver(TODAY - timedelta(days=1)), PROOF, {MARK: ""}, "expired on 2026-02-28"),
        (waiver(approver="Nobody"), PROOF, {MARK: ""}, "Nobody is not named"),
        (waiver(TODAY + timedelta(days=91)), PROOF, {MARK: ""}, "more than 90 days from now"),
        (waiver(TODAY + timedelta(days=81)), PROOF, {MARK: ""}, "more than 90 days after 2026-02-19"),
        (waiver(), PROOF, {MARK: "it is for a critical finding"}, "critical"),
        (waiver(), PROOF, {MARK: "it is for a secret"}, "secret"),
        (waiver(), Proof(trouble="it is not committed"), {MARK: ""}, "not committed"),
        (waiver(), Proof(), {MARK: ""}, "when it was added"),
    ],
)
def test_what_does_not_hold_is_refused_and_named(one: Waiver, proof: Proof, found: dict[str, str], why: str) -> None:
    got = judged(one, proof, found)
    assert not got.good
    (refused,) = got.refused
    assert refused.name == MARK and why in refused.why
    assert str(refused).startswith(f"waiver {MARK} refused: ")


@pytest.mark.parametrize("days", [0, 1, 80])
def test_it_holds_until_the_end_of_its_last_day_and_for_ninety_days(days: int) -> None:
    assert judged(waiver(TODAY + timedelta(days=days))).good


def test_ninety_days_from_the_very_day_hold() -> None:
    assert judged(waiver(TODAY + timedelta(days=90)), Proof(added=NOW)).good


def test_a_commit_of_the_future_does_not_stretch_the_ninety_days() -> None:
    assert not judged(waiver(TODAY + timedelta(days=120)), Proof(added=NOW + timedelta(days=60))).good


def test_two_for_one_finding_are_both_refused() -> None:
    got = judge_waivers([waiver(), waiver()], [], {MARK: PROOF}, ["Robin"], {MARK: ""}, NOW)
    assert not got.good and [one.why for one in got.refused] == ["it stands there twice"]


def test_malformed_ones_are_among_the_refused() -> None:
    bad = Refused(name="number 2", why="it is malformed")
    got = judge_waivers([waiver()], [bad], {MARK: PROOF}, ["Robin"], {MARK: ""}, NOW)
    assert got.good and got.refused == (bad,)


def test_one_that_nothing_needs_is_told() -> None:
    assert judged(waiver(), found={}).unneeded == (waiver(),)


def test_one_without_any_proof_is_refused() -> None:
    got = judge_waivers([waiver()], [], {}, ["Robin"], {MARK: ""}, NOW)
    assert not got.good and "not looked for" in got.refused[0].why
