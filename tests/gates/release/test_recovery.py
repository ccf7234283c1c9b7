import pytest

from gates.release.recovery import Facts, Repair, decide


def facts(
    operation: str | None,
    *,
    judged: bool = False,
    switched: bool = False,
    journal: str | None = "e1-2",
    router: str | None = "e1-2",
) -> Facts:
    return Facts(operation, judged, switched, journal, router)


@pytest.mark.parametrize(
    ("seen", "repair"),
    [
        (facts(None), Repair.NOTHING),
        (facts(None, journal=None, router=None), Repair.NOTHING),
        (facts(None, journal=None, router="e1-2"), Repair.NOTHING),  # nothing was ever live: nothing to publish
        (facts(None, router=None), Repair.REPUBLISH),
        (facts(None, router="e1-1"), Repair.REPUBLISH),
        (facts(None, router=""), Repair.REPUBLISH),
        (facts("release"), Repair.RESTORE),
        (facts("release", switched=True), Repair.RESTORE),  # traffic on a version that nobody judged
        (facts("release", judged=True, switched=True), Repair.FINISH),
        (facts("release", judged=True), Repair.RESTORE),  # it was being taken back
        (facts("rollback"), Repair.RESTORE),
        (facts("rollback", switched=True), Repair.FINISH),
        (facts("rollback", judged=True), Repair.RESTORE),
        # an unfinished operation goes before a forgetful router
        (facts("release", router=None), Repair.RESTORE),
        (facts("release", judged=True, switched=True, router=None), Repair.FINISH),
        (facts("rollback", switched=True, router="old"), Repair.FINISH),
    ],
)
def test_what_is_to_be_repaired(seen: Facts, repair: Repair) -> None:
    got, reason = decide(seen)
    assert got is repair and reason


def test_the_reason_names_both_versions() -> None:
    assert decide(facts(None, router="e1-1"))[1] == "the router serves e1-1, the journal says e1-2"
    assert "serves nothing" in decide(facts(None, router=None))[1]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (facts("release", judged=True, switched=True), "the release was interrupted after it was judged good"),
        (facts("release", judged=True), "the release was interrupted while it was taken back"),
        (facts("release", switched=True), "the release was interrupted before it was judged"),
        (facts("release"), "the release was interrupted before it was judged"),
        (facts("rollback", switched=True), "the rollback was interrupted after its switch"),
        (facts("rollback"), "the rollback was interrupted before its switch; start it again"),
        (facts(None, router=None), "the router serves nothing, the journal says e1-2"),
        (facts(None), "nothing is unfinished"),
    ],
)
def test_every_repair_has_its_reason(seen: Facts, reason: str) -> None:
    assert decide(seen)[1] == reason
