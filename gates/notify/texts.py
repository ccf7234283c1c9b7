"""Texts of messages: facts in, a message out (gates/notify/messages.py)."""

from dataclasses import dataclass
from enum import StrEnum

from gates.check import GOOD, Check
from gates.findings import Finding
from gates.notify.messages import Button, Link, Message, Post, Reply, Role, Tone, cut, some
from gates.release.approval import Decision, Question


def question_message(question: Question, trouble: str = "") -> Message:
    """Return the request for an approval, with buttons. `trouble` is why it is asked again."""
    facts = [
        ("replaces", question.live),
        ("checks", question.verdict),
        ("answer until", f"{question.expires:%Y-%m-%d %H:%M} UTC"),
        ("code", question.code),
    ]
    if trouble:
        facts.insert(0, ("asked again", trouble))
    if question.contracts:
        facts.insert(0, ("no way back", _no_way_back(question)))
    lines = [*some(question.commits), *(f"keep in mind: {warning}" for warning in question.warnings)]
    what = f"{question.version} to {question.environment}"
    reject = question.button(Decision.REJECT)
    return Message(
        headline=f"Release {what}?",
        tone=Tone.WAITING,
        facts=tuple(facts),
        lines=tuple(lines),
        links=(Link(text="open the question", url=question.url),),
        buttons=(
            _approve(question, what),
            Button(name="reject", text="Reject", value=reject, confirm=f"Do not release {what}?", danger=True),
        ),
        footer=f"artifact {question.digest[:12]}",
    )


def _approve(question: Question, what: str) -> Button:
    """Return the button; where the release leaves no way back it says so, and is asked for that by itself."""
    value = question.button(Decision.APPROVE)
    if not question.contracts:
        return Button(name="approve", text="Approve", value=value, confirm=f"Release {what}?")
    sure = f"Release {what}, and give up the way back? {_no_way_back(question)}"
    return Button(name="approve", text="Approve, no way back", value=value, confirm=sure, danger=True)


def _no_way_back(question: Question) -> str:
    names = ", ".join(question.contracts)
    return f"migration {names} takes away what {question.live} needs: no rollback to it or to older versions afterwards"


def answered_message(question: Question, ruling: str, reason: str) -> Message:
    """Return what the request becomes once it is answered: without buttons."""
    answer = {"accepted": "approved", "rejected": "rejected", "expired": "nobody answered"}.get(ruling, ruling)
    tone = {"accepted": Tone.WAITING, "rejected": Tone.BAD, "expired": Tone.BAD}.get(ruling, Tone.PLAIN)
    return question_message(question).model_copy(
        update={
            "headline": f"{question.version} to {question.environment}: {answer}",
            "tone": tone,
            "facts": (("answer", reason), ("replaces", question.live), ("checks", question.verdict)),
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
    good = moved.outcome in ("promoted", "rolled back") if moved.kind == "rollback" else moved.outcome == "promoted"
    said = {
        "": f"{moved.kind} of {what} in {moved.environment}",
        "promoted": f"{what} serves {moved.environment}",
        "rolled back": (
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


def alert_posts(key: str, alert: Alert) -> list[Post]:
    """Return an alert or its end, which changes the alert's message and is repeated where nobody would notice that."""
    message = alert_message(alert)
    repeat = Reply(text=f"{message.headline}: {alert.reason}", role=Role.REPEAT)
    return [Post(key=key, content=message), *([Post(key=key, content=repeat)] if alert.over else [])]
