"""What people are told: facts in, a message out (gates/notify/messages.py)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from gates.check import GOOD, Check
from gates.findings import Finding
from gates.notify.messages import Button, Link, Message, Tone, cut, some
from gates.release.operation import Outcome, succeeded

LONGEST_VALUE = 2000  # of a button, in Slack


class Asked(BaseModel):
    """An approval question, as it is put to people and checked when they press a button. `commits` are ready lines.

    Everything that gates/release/approval.py's Question binds an answer to, and what is about to change.
    """

    model_config = ConfigDict(frozen=True)

    mark: str
    run: str
    environment: str
    digest: str
    policy: str
    expires: datetime
    authors: tuple[str, ...]
    author_may_approve: bool
    code: str
    version: str
    live: str
    verdict: str
    commits: tuple[str, ...]
    warnings: tuple[str, ...]
    url: str
    trouble: str = ""
    contracts: tuple[str, ...] = ()


def asked_message(asked: Asked) -> Message:
    """Return the request for an approval, with buttons."""
    facts = [
        ("replaces", asked.live),
        ("checks", asked.verdict),
        ("answer until", f"{asked.expires:%Y-%m-%d %H:%M} UTC"),
        ("code", asked.code),
    ]
    if asked.trouble:
        facts.insert(0, ("asked again", asked.trouble))
    if asked.contracts:
        facts.insert(0, ("no way back", _no_way_back(asked)))
    lines = [*some(asked.commits), *(f"keep in mind: {one}" for one in asked.warnings)]
    what = f"{asked.version} to {asked.environment}"
    buttons = (
        _approve(asked, what),
        Button(name="reject", text="Reject", value=_value(asked), confirm=f"Do not release {what}?", danger=True),
    )
    return Message(
        headline=f"Release {what}?",
        tone=Tone.WAITING,
        facts=tuple(facts),
        lines=tuple(lines),
        links=(Link(text="open the question", url=asked.url),),
        buttons=buttons,
        footer=f"artifact {asked.digest[:12]}",
    )


def _approve(asked: Asked, what: str) -> Button:
    """Return the button; where the release leaves no way back it says so, and is asked for that by itself."""
    if not asked.contracts:
        return Button(name="approve", text="Approve", value=_value(asked), confirm=f"Release {what}?")
    value = f"{_value(asked)} {', '.join(asked.contracts)}"[:LONGEST_VALUE]
    sure = f"Release {what}, and give up the way back? {_no_way_back(asked)}"
    return Button(name="approve", text="Approve, no way back", value=value, confirm=sure, danger=True)


def _no_way_back(asked: Asked) -> str:
    some_of = ", ".join(asked.contracts)
    return f"migration {some_of} takes away what {asked.live} needs: no rollback to it or to older versions afterwards"


def _value(asked: Asked) -> str:
    return f"{asked.mark} {asked.run} {asked.code}"


def answered_message(asked: Asked, ruling: str, reason: str) -> Message:
    """Return what the request becomes once it is answered: without buttons."""
    said = {"accepted": "approved", "rejected": "rejected", "expired": "nobody answered"}.get(ruling, ruling)
    tone = {"accepted": Tone.WAITING, "rejected": Tone.BAD, "expired": Tone.BAD}.get(ruling, Tone.PLAIN)
    return asked_message(asked).model_copy(
        update={
            "headline": f"{asked.version} to {asked.environment}: {said}",
            "tone": tone,
            "facts": (("answer", reason), ("replaces", asked.live), ("checks", asked.verdict)),
            "buttons": (),
        }
    )


@dataclass(frozen=True)
class Moved:
    """A release or a rollback (`kind`), from the journal. `outcome` "" while it goes on; seconds for each step."""

    kind: str
    app: str
    environment: str
    version: str
    commit: str
    before: str
    outcome: str = ""
    reason: str = ""
    steps: tuple[tuple[str, float], ...] = ()
    url: str = ""
    public_url: str = ""
    runbook_url: str = ""


def took(seconds: float) -> str:
    """Return how long something took: "0.04 s", "61.2 s"."""
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def moved_message(moved: Moved) -> Message:
    """Return how a release or a rollback is doing, or how it ended."""
    what = f"{moved.app} {moved.version}"
    good = succeeded(moved.kind, moved.outcome)
    said = {
        "": f"{moved.kind} of {what} in {moved.environment}",
        Outcome.PROMOTED: f"{what} serves {moved.environment}",
        Outcome.ROLLED_BACK: (
            f"{moved.environment} went back to {what}" if good else f"{what} was rolled back in {moved.environment}"
        ),
    }.get(moved.outcome, f"{moved.kind} of {what} in {moved.environment}: {moved.outcome}")
    total = sum(seconds for name, seconds in moved.steps if name != "down")
    facts = [("commit", moved.commit[:12]), ("live before", moved.before or "nothing")]
    if moved.outcome:
        facts.append(("took", took(total)))
    if moved.reason:
        facts.append(("reason", moved.reason))
    links = [Link(text="run", url=moved.url)] if moved.url else []
    if moved.public_url:
        links.append(Link(text=moved.environment, url=moved.public_url))
    if moved.outcome and not good and moved.runbook_url:
        links.append(Link(text="what to do", url=moved.runbook_url))
    tone = Tone.WAITING if not moved.outcome else Tone.GOOD if good else Tone.BAD
    lines = (", ".join(f"{name} {took(seconds)}" for name, seconds in moved.steps),) if moved.outcome else ()
    return Message(headline=said, tone=tone, facts=tuple(facts), lines=lines if moved.steps else (), links=tuple(links))


@dataclass(frozen=True)
class Checked:
    """What `ci` came to for one commit. `reason` is its verdict's; `url` leads to the run."""

    version: str
    commit: str
    branch: str
    author: str
    subject: str
    good: bool
    reason: str
    checks: tuple[Check, ...]
    url: str


class Told(StrEnum):
    """Whether a `ci` result is news."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    NOTHING = "nothing"


def is_news(good: bool, commit: str, failed_before: str | None) -> Told:
    """Say whether to tell a `ci` result of a branch: each failing commit once, and the first good one after it.

    `failed_before` is the commit whose failure was told last and is not over, None when there is none.
    """
    if good:
        return Told.RECOVERY if failed_before else Told.NOTHING
    return Told.NOTHING if failed_before == commit else Told.FAILURE


def checked_message(seen: Checked, recovered: bool = False) -> Message:
    """Return what `ci` came to: for its author, and as the comment of a pull request."""
    bad = [f"{check.name}: {check.outcome}: {check.reason}" for check in seen.checks if check.outcome not in GOOD]
    state = "is good again" if recovered else "passed every check" if seen.good else "is not good"
    facts = [("commit", f"{seen.commit[:12]} {seen.subject}"), ("branch", seen.branch or "none"), ("by", seen.author)]
    figures = [f"{measure}" for check in seen.checks for measure in check.measures]
    return Message(
        headline=f"{seen.version} {state}",
        tone=Tone.GOOD if seen.good else Tone.BAD,
        facts=tuple(facts),
        lines=some(bad) if bad else some(figures, 5) or (cut(seen.reason, 300),),
        links=(Link(text="run", url=seen.url),),
    )


def checks_comment(seen: Checked) -> Message:
    """Return the comment of a pull request: every check in a line, the bad ones first."""
    if not seen.checks:
        return checked_message(seen)
    order = sorted(seen.checks, key=lambda check: (check.outcome in GOOD, check.name))
    lines = [
        f"{'✓' if one.outcome in GOOD else '✗'} {one.name}: {one.outcome}: {cut(one.reason, 200)}" for one in order
    ]
    return checked_message(seen).model_copy(update={"lines": some(lines, 50)})


@dataclass(frozen=True)
class Nightly:
    """What a security scan found: `new` findings were not seen there before. `unlooked`: scans without a verdict."""

    version: str
    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    unlooked: tuple[str, ...]
    url: str


def nightly_message(night: Nightly) -> Message:
    """Return a security scan's news: what nobody looked at, then new findings, worst first."""
    worst = sorted(night.new, key=lambda one: (one.severity.rank, one.rule))
    lines = [f"nobody looked: {one}" for one in night.unlooked] + [f"new, {_finding(one)}" for one in worst]
    counts = (("new", str(len(night.new))), ("known", str(len(night.known))))
    bad = bool(night.new or night.unlooked)
    return Message(
        headline=f"security of {night.version}: " + (f"{len(night.new)} new findings" if bad else "nothing new"),
        tone=Tone.BAD if bad else Tone.GOOD,
        facts=counts,
        lines=some(lines, 15),
        links=(Link(text="run", url=night.url),),
    )


def _finding(one: Finding) -> str:
    where = one.package or f"{one.file}:{one.line}" if (one.package or one.file) else ""
    return cut(f"{one.severity}: {one.rule} {where}: {one.message}", 250)


@dataclass(frozen=True)
class Alert:
    """Something is wrong, or over (`over`), with an environment."""

    environment: str
    what: str
    reason: str
    runbook_url: str = ""
    over: bool = False


def alert_message(alert: Alert) -> Message:
    """Return an alert or its end."""
    links = (Link(text="what to do", url=alert.runbook_url),) if alert.runbook_url and not alert.over else ()
    return Message(
        headline=f"{alert.environment}: {alert.what}" + (" is over" if alert.over else ""),
        tone=Tone.GOOD if alert.over else Tone.BAD,
        lines=(alert.reason,),
        links=links,
    )
