from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gates.release.approval import Answer, Approver, Decision, Question, Ruling, judge_answer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUESTION = Question(
    id="0123456789ab",
    run="run-1",
    environment="production",
    digest="a" * 64,
    policy="p" * 64,
    expires=NOW + timedelta(hours=1),
    authors=("ada@example.org",),
)
ROBIN = Approver("Robin Reviewer", ("robin@example.com",), ("staging", "production"))
SASHA = Approver("Sasha Staging", ("sasha@example.com",), ("staging",))
ADA = Approver("Ada Author", ("other@example.org", "Ada@Example.ORG"), ("production",))
EVERYBODY = (ROBIN, SASHA, ADA)
YES = Answer(Decision.APPROVE, "Robin Reviewer", QUESTION.code, NOW)


@pytest.mark.parametrize(
    ("answer", "ruling", "said"),
    [
        (YES, Ruling.ACCEPTED, "Robin Reviewer"),
        (replace(YES, approver="  Robin Reviewer "), Ruling.ACCEPTED, "Robin Reviewer"),
        (replace(YES, code=f" {QUESTION.code.upper()}\n"), Ruling.ACCEPTED, "Robin"),
        (replace(YES, at=QUESTION.expires - timedelta(microseconds=1)), Ruling.ACCEPTED, "Robin"),
        (replace(YES, at=QUESTION.expires), Ruling.EXPIRED, "2026-03-01 13:00:00 UTC"),
        (replace(YES, at=QUESTION.expires + timedelta(days=1)), Ruling.EXPIRED, "ended"),
        (replace(YES, code=""), Ruling.ASK_AGAIN, "another question"),
        (replace(YES, code=QUESTION.code[:-1]), Ruling.ASK_AGAIN, "another question"),
        (replace(YES, code=QUESTION.code + "0"), Ruling.ASK_AGAIN, "another question"),
        (replace(YES, code="é\ud800"), Ruling.ASK_AGAIN, "another question"),
        (replace(YES, approver=""), Ruling.ASK_AGAIN, "not named"),
        (replace(YES, approver="robin reviewer"), Ruling.ASK_AGAIN, "not named"),
        (replace(YES, approver="x" * 10_000), Ruling.ASK_AGAIN, "not named"),
        (replace(YES, approver="Sasha Staging"), Ruling.ASK_AGAIN, "may not decide about production"),
        (replace(YES, approver="Ada Author"), Ruling.ASK_AGAIN, "wrote a commit"),
        (replace(YES, decision=Decision.REJECT), Ruling.REJECTED, "no reason given"),
        (replace(YES, decision=Decision.REJECT, comment="not today"), Ruling.REJECTED, "not today"),
        (replace(YES, decision=Decision.REJECT, approver="Ada Author"), Ruling.REJECTED, "Ada"),
        # a rejection is bound as an approval is
        (replace(YES, decision=Decision.REJECT, approver="Sasha Staging"), Ruling.ASK_AGAIN, "may not decide"),
        (replace(YES, decision=Decision.REJECT, approver="Nobody"), Ruling.ASK_AGAIN, "not named"),
        (replace(YES, decision=Decision.REJECT, code="0000-0000"), Ruling.ASK_AGAIN, "another question"),
        (replace(YES, decision=Decision.REJECT, at=QUESTION.expires), Ruling.EXPIRED, "ended"),
    ],
)
def test_an_answer_is_judged(answer: Answer, ruling: Ruling, said: str) -> None:
    got, reason = judge_answer(QUESTION, answer, EVERYBODY)
    assert (got, said in reason) == (ruling, True), reason
    assert len(reason) < 200


def test_an_author_may_approve_where_the_environment_allows_it_and_the_page_says_so() -> None:
    allowed = QUESTION.model_copy(update=dict(author_may_approve=True))
    ruling, reason = judge_answer(allowed, replace(YES, approver="Ada Author"), EVERYBODY)
    assert ruling is Ruling.ACCEPTED and "an author of it" in reason
    assert judge_answer(allowed, YES, EVERYBODY) == (Ruling.ACCEPTED, "Robin Reviewer")


def test_nobody_can_answer_when_nobody_is_named() -> None:
    assert judge_answer(QUESTION, YES, ())[0] is Ruling.ASK_AGAIN


@pytest.mark.parametrize(
    "other",
    [
        QUESTION.model_copy(update=dict(run="run-2")),
        QUESTION.model_copy(update=dict(environment="staging")),
        QUESTION.model_copy(update=dict(digest="b" * 64)),
        QUESTION.model_copy(update=dict(policy="q" * 64)),
        QUESTION.model_copy(update=dict(expires=QUESTION.expires + timedelta(seconds=1))),
        QUESTION.model_copy(update=dict(contracts=("0007",))),
    ],
)
def test_the_code_binds_run_environment_digest_policy_and_expiry(other: Question) -> None:
    assert other.code != QUESTION.code
    assert judge_answer(other, YES, EVERYBODY)[0] is Ruling.ASK_AGAIN


CONTRACTS = QUESTION.model_copy(update=dict(contracts=("0007", "0009")))


@pytest.mark.parametrize(
    ("named", "ruling", "said"),
    [
        ("0007, 0009", Ruling.ACCEPTED, "gives up the way back behind migration 0007, 0009"),
        (" 0009\n0007 ", Ruling.ACCEPTED, "0007"),
        ("", Ruling.ASK_AGAIN, "write into no_way_back: 0007, 0009"),
        ("0007", Ruling.ASK_AGAIN, "0009"),
        ("0007, 0009, 0010", Ruling.ASK_AGAIN, "0009"),
        ("yes", Ruling.ASK_AGAIN, "0009"),
    ],
)
def test_giving_up_the_way_back_is_approved_by_naming_it(named: str, ruling: Ruling, said: str) -> None:
    answer = replace(YES, code=CONTRACTS.code, no_way_back=named)
    got, reason = judge_answer(CONTRACTS, answer, EVERYBODY)
    assert (got, said in reason) == (ruling, True), reason


def test_a_rejection_needs_not_name_it_and_naming_what_is_not_asked_does_not_hold() -> None:
    no = replace(YES, code=CONTRACTS.code, decision=Decision.REJECT)
    assert judge_answer(CONTRACTS, no, EVERYBODY)[0] is Ruling.REJECTED
    assert judge_answer(QUESTION, replace(YES, no_way_back="0007"), EVERYBODY)[0] is Ruling.ASK_AGAIN


def test_the_code_is_the_same_when_the_question_is_read_again() -> None:
    assert QUESTION.model_validate_json(QUESTION.model_dump_json()).code == QUESTION.code
    assert len(QUESTION.code) == 9 and QUESTION.code[4] == "-"


def test_naming_migrations_where_there_are_none_is_told_as_such() -> None:
    assert judge_answer(QUESTION, replace(YES, no_way_back="0007"), EVERYBODY) == (
        Ruling.ASK_AGAIN,
        "it names migrations that take something away, and this release has none; leave no_way_back empty",
    )
    assert judge_answer(QUESTION, replace(YES, no_way_back=" ,;\n"), EVERYBODY)[0] is Ruling.ACCEPTED


@pytest.mark.parametrize(("length", "shown"), [(60, 60), (61, 60)])
def test_a_strangers_name_is_repeated_in_short(length: int, shown: int) -> None:
    got = judge_answer(QUESTION, replace(YES, approver="x" * length), EVERYBODY)
    assert got == (Ruling.ASK_AGAIN, f'"{"x" * shown}" is not named in config/approvers.toml')


def test_an_author_who_gives_up_the_way_back_is_told_as_both() -> None:
    question = CONTRACTS.model_copy(update=dict(author_may_approve=True))
    answer = replace(YES, approver="Ada Author", code=question.code, no_way_back="0009;0007")
    assert judge_answer(question, answer, EVERYBODY) == (
        Ruling.ACCEPTED,
        "Ada Author (an author of it, which this environment allows), "
        "who gives up the way back behind migration 0007, 0009",
    )


def test_a_code_is_what_open_questions_already_show() -> None:
    # An answer to a question that was asked before an upgrade must still fit.
    assert (QUESTION.code, CONTRACTS.code) == ("6b64-c4a9", "f148-82e0")
