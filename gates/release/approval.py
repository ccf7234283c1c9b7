"""Is an answer to an approval question good? Bound to run, environment, digest, policy and expiry; by a person who
may.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import AliasChoices, ConfigDict, Field

from gates.documents import Foreign
from gates.release.authors import address_key

LONGEST_BUTTON = 2000  # in Slack
BUTTON = re.compile(r"([0-9a-f]{12}) ([0-9a-f-]{36}) ([0-9a-f]{4}-[0-9a-f]{4})(?: ([^\n]+))?")


class Decision(StrEnum):
    """What a person may answer."""

    APPROVE = "approve"
    REJECT = "reject"


class Ruling(StrEnum):
    """What becomes of an answer, or of a question without one.

    ASK_AGAIN: the answer does not hold, the question still stands. WITHDRAWN: nobody can be asked any more. SUPERSEDED:
    another run asks again.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ASK_AGAIN = "ask again"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Approver:
    """A person of config/approvers.toml. `ssh_keys` are the public keys that sign this person's commits."""

    name: str
    emails: tuple[str, ...]
    environments: tuple[str, ...]
    ssh_keys: tuple[str, ...] = ()
    slack: str = ""


class Question(Foreign, of="older and newer versions of Slipway"):
    """An approval that a person is asked for. `policy` is the digest of the settings and the approvers that apply.

    `contracts` are the migrations that take away what older versions need: giving up the way back is a question of its
    own, answered by naming them. From `version` on it is what people are shown; `commits` are ready lines.
    """

    # "mark" is the id in what versions before had written down, beside a code and a trouble.
    model_config = ConfigDict(frozen=True)

    id: str = Field(validation_alias=AliasChoices("id", "mark"))
    run: str
    environment: str
    digest: str
    policy: str
    expires: datetime
    authors: tuple[str, ...]
    author_may_approve: bool = False
    contracts: tuple[str, ...] = ()
    version: str = ""
    live: str = ""
    verdict: str = ""
    commits: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    url: str = ""

    @property
    def code(self) -> str:
        """Return the eight characters that the answer must repeat: they bind it to exactly this question."""
        parts = (self.run, self.environment, self.digest, self.policy, self.expires.isoformat(), *self.contracts)
        bound = "\n".join(parts)
        mark = hashlib.sha256(bound.encode()).hexdigest()
        return f"{mark[:4]}-{mark[4:8]}"

    def written_by(self, person: Approver) -> bool:
        """Return whether a person wrote any of what goes out, however the addresses are spelt."""
        authors = {address_key(author) for author in self.authors}
        return any(address_key(email) in authors for email in person.emails)

    def button(self, decision: Decision) -> str:
        """Return what a button carries: enough to answer the run from any host. `read_button` reads it."""
        contracts = f" {', '.join(self.contracts)}" if self.contracts and decision is Decision.APPROVE else ""
        return f"{self.id} {self.run} {self.code}{contracts}"[:LONGEST_BUTTON]


@dataclass(frozen=True)
class ButtonValue:
    """What a button carries. `no_way_back` names the migrations that pressing it accepts, "" for none."""

    id: str
    run: str
    code: str
    no_way_back: str

    def belongs_to(self, question: Question) -> bool:
        """Return whether the button was made for this question, as it stands now."""
        return self.run == question.run and hmac.compare_digest(self.code, question.code)


def read_button(value: str) -> ButtonValue | None:
    """Return what a button carries, None when the button is not ours."""
    match = BUTTON.fullmatch(value)
    return ButtonValue(match[1], match[2], match[3], match[4] or "") if match else None


@dataclass(frozen=True)
class Answer:
    """What came back: the form's fields and when. `no_way_back` names the contracting migrations that it accepts."""

    decision: Decision
    approver: str
    code: str
    at: datetime
    comment: str = ""
    no_way_back: str = ""


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
    wrote = question.written_by(person)
    if wrote and not question.author_may_approve:
        return Ruling.ASK_AGAIN, f"{person.name} wrote a commit of this release; somebody else must approve it"
    if set(re.split(r"[\s,;]+", answer.no_way_back.strip())) - {""} != set(question.contracts):
        return Ruling.ASK_AGAIN, _no_way_back(question.contracts)
    note = " (an author of it, which this environment allows)" if wrote else ""
    note += (
        f", who gives up the way back behind migration {', '.join(question.contracts)}" if question.contracts else ""
    )
    return Ruling.ACCEPTED, f"{person.name}{note}"


def _no_way_back(contracts: Sequence[str]) -> str:
    if not contracts:
        return "it names migrations that take something away, and this release has none; leave no_way_back empty"
    return (
        "it leaves open whether the way back may be given up; to approve that as well, write into no_way_back: "
        f"{', '.join(contracts)}"
    )
