"""The pages of a release: what is asked, and what happened."""

from collections.abc import Mapping

from deployments.outgoing import Outgoing, written_by
from deployments.preflight import Preflight
from deployments.rollout import Rollout
from gates.check import Outcome
from gates.checks.summary import tracked_in_a_line
from gates.notify.messages import some
from gates.release.approval import Question
from gates.release.authors import shown_address, shown_name
from gates.release.operation import Live
from tasks.artifacts import cell, checks_table
from tasks.scans.findings_page import security_section, unlooked_note

SHOWN_COMMITS = 30
SHOWN_AUTHORS = 3
MOST_AUTHORS = 100


def approval_page(question: Question, seen: Preflight, trouble: str = "") -> str:
    """Return what a person must see to decide: what goes out, why it may, what nobody looked at.

    The form shows only its first lines without scrolling: they hold the reason of a second question, what would
    change, and the code.
    """
    again = f"**Asked again, the last answer does not hold: {cell(trouble)}.**\n\n" if trouble else ""
    return (
        f"{again}## Release {cell(seen.version.version)} to {question.environment}?\n\n{_in_short(seen)}. "
        f"To answer, press **Resume** and fill in the form, with the code **{question.code}**, "
        f"until {question.expires:%Y-%m-%d %H:%M:%S} UTC.\n\n{_no_way_back(question, seen)}"
        f"{preflight_page(seen, {'may decide': _deciders(question, seen)})}"
    )


def _no_way_back(question: Question, seen: Preflight) -> str:
    """Return the second question of a release that takes away what older versions need."""
    if not question.contracts:
        return ""
    live = cell(seen.live.version.version) if seen.live else "what is live"
    steps = "\n".join(f"- migration `{cell(one.revision)}`: {cell(one.reason)}" for one in seen.contracts)
    return (
        f"### And may the way back be given up?\n\nAfter these migrations neither {live} nor older versions can be "
        f"gone back to:\n\n{steps}\n\nTo approve that as well, write into the field **no_way_back**: "
        f"**{cell(', '.join(question.contracts))}**\n\n"
    )


def preflight_page(seen: Preflight, more: Mapping[str, str] | None = None) -> str:
    """Return what a preflight saw. `more` are further rows of its first table, in Markdown."""
    rows = {
        "version": f"**{cell(seen.version.version)}**, commit `{seen.version.commit[:12]}`",
        "branch": cell(seen.branches),
        "live now": _live(seen.live),
        "verdict": cell(seen.verdict.reason),
        **({"baseline": cell(tracked)} if (tracked := tracked_in_a_line(seen.checks)) else {}),
        "isolation": f"the checks ran isolated by {cell(seen.isolation)}",
        **(more or {}),
    }
    warnings = "\n".join(f"- {cell(warning)}" for warning in seen.warnings)
    return (
        f"{unlooked_note(seen.checks)}{_facts(rows)}\n\n"
        f"### What goes out\n\n{cell(seen.outgoing.note)}\n\n{_commits(seen)}\n\n"
        f"### What was checked\n\n{checks_table(seen.checks)}\n\n"
        f"### Security\n\n{security_section(seen.scanned)}\n\n"
        f"### Keep in mind\n\n{warnings}\n\n"
        f"Artifact `{seen.version.digest}`, commit `{seen.version.commit}`\n"
    )


def _facts(rows: Mapping[str, str]) -> str:
    """Return a table of two columns. Its first row is the head: an empty one would be drawn as an empty bar."""
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([lines[0], "|---|---|", *lines[1:]])


def _in_short(seen: Preflight) -> str:
    names = list(dict.fromkeys(cell(shown_name(one.name)) for commit in seen.outgoing.commits for one in commit.people))
    others = len(names) - SHOWN_AUTHORS
    by = ", ".join(names[:SHOWN_AUTHORS]) + (f" and {others} more" if others > 0 else "")
    count = seen.outgoing.count
    commits = f"{count} commit{'' if count == 1 else 's'}" + (f" by {by}" if by else "")
    change = f"It replaces **{cell(seen.live.version.version)}**" if seen.live else "Nothing is live there"
    passed = sum(one.outcome is Outcome.PASSED for one in seen.checks)
    unrun = [cell(one.name) for one in seen.checks if one.outcome is Outcome.ACCEPTED_UNRUN]
    loud = f"; **NOBODY LOOKED AT: {', '.join(unrun)}**" if unrun else ""
    held = tracked_in_a_line(seen.checks)
    tracked = f", {cell(held)}" if held else ""
    return f"{change}: {commits}; {passed} of {len(seen.checks)} checks passed{tracked}{loud}"


def _deciders(question: Question, seen: Preflight) -> str:
    """Return whom config/approvers.toml names for this environment; authors are marked."""
    names = []
    for one in seen.approvers:
        if question.environment in one.environments:
            author = question.written_by(one) and not question.author_may_approve
            names.append(f"{cell(one.name)} (wrote a commit of it: may only reject)" if author else cell(one.name))
    return ", ".join(names)


def _live(live: Live | None) -> str:
    if live is None:
        return "nothing"
    since = f"since {live.since:%Y-%m-%d %H:%M} UTC"
    return f"**{cell(live.version.version)}** {since}, slot {live.slot}, `{live.version.digest[:12]}`"


def _commits(seen: Preflight) -> str:
    rows = ["| commit | by | what |", "|---|---|---|"]
    for commit in seen.outgoing.commits[:SHOWN_COMMITS]:
        rows.append(f"| `{commit.hash[:12]}` | {cell(written_by(commit))} | {cell(shown_name(commit.subject))} |")
    more = seen.outgoing.count - SHOWN_COMMITS
    everybody = ", ".join(
        cell(one) for one in some([shown_address(one) for one in seen.outgoing.authors], MOST_AUTHORS)
    )
    return "\n".join(rows) + (
        f"\n\nand {more} more. Everybody who wrote any of all of them: {everybody}" if more > 0 else ""
    )


def commit_lines(outgoing: Outgoing) -> tuple[str, ...]:
    """Return the commits that go out, a line each, and how many more there are."""
    lines = [f"{commit.hash[:12]} {shown_name(commit.subject)} ({written_by(commit)})" for commit in outgoing.commits]
    return (*lines, *([f"and {outgoing.more} older ones"] if outgoing.more else []))


def outcome_page(rollout: Rollout, outcome: str, reason: str) -> str:
    """Return what happened: the outcome, its reason, and how long each step took."""
    timed = {**rollout.seconds, "all": sum(rollout.seconds.values())}
    steps = "\n".join(f"| {name} | {seconds:.2f} |" for name, seconds in timed.items())
    rows = {
        "version": f"**{cell(rollout.version.version)}**, commit `{rollout.version.commit[:12]}`",
        "slot": rollout.slot,
        "live before": _live(rollout.before),
        "lease epoch": str(rollout.lease.epoch),
    }
    return (
        f"## {cell(rollout.version.version)} in {rollout.place.name}: {outcome}\n\n{cell(reason)}\n\n{_facts(rows)}\n\n"
        f"### How long it took\n\n| step | seconds |\n|---|---:|\n{steps}\n\n"
        f"Artifact `{rollout.version.digest}`, commit `{rollout.version.commit}`\n"
    )
