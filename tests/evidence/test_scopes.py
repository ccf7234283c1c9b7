from evidence.scopes import OURS, SHARED, Scope


def test_a_protected_branch_writes_what_everybody_reads_and_reads_nothing_else() -> None:
    main = Scope("main", protected=True)
    assert (main.writes, main.reads) == (SHARED, (SHARED,)) == (OURS.writes, OURS.reads)


def test_another_branch_reads_the_shared_and_its_own() -> None:
    feature = Scope("feature", protected=False)
    assert feature.reads == (SHARED, feature.writes) and feature.writes == feature.own
    assert feature.own not in {Scope("other", protected=False).own, Scope("", protected=False).own, SHARED}


def test_a_branch_that_becomes_protected_takes_nothing_from_the_time_before() -> None:
    before, now = Scope("release", protected=False), Scope("release", protected=True)
    assert before.own not in (*now.reads, now.own, now.writes)
