"""Is an answer to an approval question good? Bound to run, environment, digest, policy and expiry; by a person who
may.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Decision(StrEnum):
    """What a person may answer."""

    APPROVE = "approve"
    REJECT = "reject"


class Ruling(StrEnum):
    """What becomes of an answer. ASK_AGAIN: the answer does not hold, the question still stands."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ASK_AGAIN = "ask again"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Approver:
    """A person of config/approvers.toml."""

    name: str
    emails: tuple[str, ...]
    environments: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """What is asked. `policy` is the digest of the settings and the approvers that apply; `expires` is aware UTC."""

    run: str
    environment: str
    digest: str
    policy: str
    expires: datetime
    authors: tuple[str, ...]
    author_may_approve: bool = False

    @property
    def code(self) -> str:
        """Return the eight characters that the answer must repeat: they bind it to exactly this question."""
        bound = "\n".join((self.run, self.environment, self.digest, self.policy, self.expires.isoformat()))
        mark = hashlib.sha256(bound.encode()).hexdigest()
        return f"{mark[:4]}-{mark[4:8]}"


@dataclass(frozen=True)
class Answer:
    """What came back: the form's fields and when."""

    decision: Decision
    approver: str
    code: str
    at: datetime
    comment: str = ""


def judge_answer(question: Question, answer: Answer, approvers: Sequence[Approver]) -> tuple[Ruling, str]:
    """Return the ruling and its reason. Who may decide about the environment may also reject what they wrote."""
    if answer.at >= question.expires:
        return Ruling.EXPIRED, f"the question ended at {question.expires:%Y-%m-%d %H:%M:%S} UTC"
    if not hmac.compare_digest(answer.code.strip().lower().encode(errors="replace"), question.code.encode()):
        return Ruling.ASK_AGAIN, "the code is not the one on this page: the answer was meant for another question"
    person = next((one for one in approvers if one.name == answer.approver.strip()), None)
    if person is None:
        return Ruling.ASK_AGAIN, f'"{answer.approver[:60]}" is not named in config/approvers.toml'
    if question.environment not in person.environments:
        return Ruling.ASK_AGAIN, f"{person.name} may not decide about {question.environment}"
    if answer.decision is Decision.REJECT:
        return Ruling.REJECTED, f"{person.name}: {answer.comment or 'no reason given'}"
    wrote = {email.lower() for email in person.emails} & {author.lower() for author in question.authors}
    if wrote and not question.author_may_approve:
        return Ruling.ASK_AGAIN, f"{person.name} wrote a commit of this release; somebody else must approve it"
    note = " (an author of it, which this environment allows)" if wrote else ""
    return Ruling.ACCEPTED, f"{person.name}{note}"
