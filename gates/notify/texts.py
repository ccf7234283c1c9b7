"""Texts of messages: facts in, a message out (gates/notify/messages.py)."""

from dataclasses import dataclass
from enum import StrEnum

from gates.check import GOOD, Check
from gates.findings import Finding
from gates.notify.messages import Button, Link, Message, Post, Reply, Role, Tone, cut, some
from gates.release.approval import Decision, Question
from gates.release.operation import Outcome, succeeded


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
class ReleaseProgress:
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


def progress_message(progress: ReleaseProgress) -> Message:
    """Return how a release or a rollback is doing, or how it ended."""
    what = f"{progress.app} {progress.version}"
    good = succeeded(progress.kind, progress.outcome)
    headline = {
        "": f"{progress.kind} of {what} in {progress.environment}",
        Outcome.PROMOTED: f"{what} serves {progress.environment}",
        Outcome.ROLLED_BACK: (
            f"{progress.environment} went back to {what}"
            if good
            else f"{what} was rolled back in {progress.environment}"
        ),
    }.get(progress.outcome, f"{progress.kind} of {what} in {progress.environment}: {progress.outcome}")
    total = sum(seconds for name, seconds in progress.steps if name != "down")
    facts = [("commit", progress.commit[:12]), ("live before", progress.before or "nothing")]
    if progress.outcome:
        facts.append(("took", took(total)))
    if progress.reason:
        facts.append(("reason", progress.reason))
    links = [Link(text="run", url=progress.url)] if progress.url else []
    if progress.public_url:
        links.append(Link(text=progress.environment, url=progress.public_url))
    if progress.outcome and not good and progress.runbook_url:
        links.append(Link(text="what to do", url=progress.runbook_url))
    tone = Tone.WAITING if not progress.outcome else Tone.GOOD if good else Tone.BAD
    lines = (", ".join(f"{name} {took(seconds)}" for name, seconds in progress.steps),) if progress.outcome else ()
    return Message(
        headline=headline, tone=tone, facts=tuple(facts), lines=lines if progress.steps else (), links=tuple(links)
    )


@dataclass(frozen=True)
class CiResult:
    """Result of `ci` for one commit. `reason` is its verdict's; `url` leads to the run."""

    version: str
    commit: str
    branch: str
    author: str
    subject: str
    good: bool
    reason: str
    checks: tuple[Check, ...]
    url: str


class CiNews(StrEnum):
    """Whether a `ci` result is news."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    NOTHING = "nothing"


def is_news(good: bool, commit: str, failed_before: str | None) -> CiNews:
    """Say whether to tell a `ci` result of a branch: each failing commit once, and the first good one after it.

    `failed_before` is the commit whose failure was told last and is not over, None when there is none.
    """
    if good:
        return CiNews.RECOVERY if failed_before else CiNews.NOTHING
    return CiNews.NOTHING if failed_before == commit else CiNews.FAILURE


def ci_message(result: CiResult, recovered: bool = False) -> Message:
    """Return the result of `ci`: for its author, and as the comment of a pull request."""
    bad = [f"{check.name}: {check.outcome}: {check.reason}" for check in result.checks if check.outcome not in GOOD]
    state = "is good again" if recovered else "passed every check" if result.good else "is not good"
    facts = [
        ("commit", f"{result.commit[:12]} {result.subject}"),
        ("branch", result.branch or "none"),
        ("by", result.author),
    ]
    figures = [f"{measure}" for check in result.checks for measure in check.measures]
    return Message(
        headline=f"{result.version} {state}",
        tone=Tone.GOOD if result.good else Tone.BAD,
        facts=tuple(facts),
        lines=some(bad) if bad else some(figures, 5) or (cut(result.reason, 300),),
        links=(Link(text="run", url=result.url),),
    )


def ci_comment(result: CiResult) -> Message:
    """Return the comment of a pull request: every check in a line, the bad ones first."""
    if not result.checks:
        return ci_message(result)
    order = sorted(result.checks, key=lambda check: (check.outcome in GOOD, check.name))
    lines = [
        f"{'✓' if check.outcome in GOOD else '✗'} {check.name}: {check.outcome}: {cut(check.reason, 200)}"
        for check in order
    ]
    return ci_message(result).model_copy(update={"lines": some(lines, 50)})


@dataclass(frozen=True)
class ScanNews:
    """Result of a security scan: `new` findings were not there before. `unlooked`: scans without a verdict."""

    version: str
    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    unlooked: tuple[str, ...]
    url: str


def scan_message(night: ScanNews) -> Message:
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
