"""Which high findings are accepted for a while, by whom, and which waivers do not count and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

LONGEST = timedelta(days=90)


class Waiver(BaseModel):
    """One entry of config/waivers.toml: this finding is accepted until the end of `expires` (UTC).

    `revoked` says of a secret in the history how it was proved that it is valid no more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    approver: str
    reason: str
    expires: date
    revoked: str = Field("", exclude_if=lambda words: not words)

    def __str__(self) -> str:
        revoked = f"; revoked: {self.revoked}" if self.revoked else ""
        return f"waived by {self.approver} until {self.expires}: {self.reason}{revoked}"


class Refused(BaseModel):
    """A waiver that does not count. `name` is its fingerprint, or where it stands when it has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    why: str

    def __str__(self) -> str:
        return f"waiver {self.name} refused: {self.why}"


@dataclass(frozen=True)
class Proof:
    """What the checkout's history says of a waiver: when the commit that put it there was made, or why that proves
    nothing (`trouble`). A proof without trouble carries the approver's own signature.
    """

    added: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Waivers:
    """The waivers that count, by fingerprint; those that do not; and those that no finding needs any more."""

    good: Mapping[str, Waiver]
    refused: tuple[Refused, ...] = ()
    unneeded: tuple[Waiver, ...] = ()


def judge_waivers(
    waivers: Sequence[Waiver],
    malformed: Sequence[Refused],
    proofs: Mapping[str, Proof],
    approvers: Sequence[str],
    unwaivable: Mapping[str, str],
    now: datetime,
) -> Waivers:
    """Sort waivers into good, refused and unneeded. `now` is aware; `approvers` are the names in config/approvers.toml;
    `proofs` are by fingerprint. `unwaivable` maps the fingerprint of every finding to why it can never be waived, ""
    when it can.
    """
    times = Counter(waiver.fingerprint for waiver in waivers)
    good: dict[str, Waiver] = {}
    refused: dict[str, Refused] = {}
    for waiver in waivers:
        proof = proofs.get(waiver.fingerprint, Proof(trouble="its commit was not looked for"))
        why = "it stands there twice" if times[waiver.fingerprint] > 1 else unwaivable.get(waiver.fingerprint, "")
        why = why or _refusal(waiver, approvers, now) or _unproven(waiver, proof)
        if why:
            refused[waiver.fingerprint] = Refused(name=waiver.fingerprint, why=why)
        else:
            good[waiver.fingerprint] = waiver
    unneeded = tuple(waiver for waiver in good.values() if waiver.fingerprint not in unwaivable)
    return Waivers(good, (*malformed, *refused.values()), unneeded)


def _refusal(waiver: Waiver, approvers: Sequence[str], now: datetime) -> str:
    today = now.astimezone(UTC).date()
    if waiver.approver not in approvers:
        return f"{waiver.approver} is not named in config/approvers.toml"
    if waiver.expires < today:
        return f"it expired on {waiver.expires}"
    if waiver.expires - today > LONGEST:
        return f"it ends on {waiver.expires}, more than {LONGEST.days} days from now"
    return ""


def _unproven(waiver: Waiver, proof: Proof) -> str:
    if proof.trouble or proof.added is None:
        return proof.trouble or "nobody knows when it was added"
    added = proof.added.astimezone(UTC).date()
    if waiver.expires - added > LONGEST:
        return f"it ends on {waiver.expires}, more than {LONGEST.days} days after {added}, when it was added"
    return ""
