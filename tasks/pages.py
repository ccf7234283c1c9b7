"""The pages of a release: what is asked, and what happened."""

from deployments.ledger import Live
from deployments.preflight import Preflight
from deployments.rollout import Rollout
from gates.approval import Question
from tasks.reporting import cell, checks_table

SHOWN_COMMITS = 30


def approval_page(question: Question, seen: Preflight, trouble: str = "") -> str:
    """Return what a person must see to decide: what goes out, why it may, what nobody looked at."""
    again = f"**The last answer did not hold: {cell(trouble)}.** Please answer again.\n\n" if trouble else ""
    return (
        f"{again}# Release {cell(seen.version.version)} to {question.environment}?\n\n"
        f"To answer: **Resume**, then your name, your decision and the code **{question.code}**. "
        f"The question ends at {question.expires:%Y-%m-%d %H:%M:%S} UTC.\n\n{preflight_page(seen)}"
    )


def preflight_page(seen: Preflight) -> str:
    """Return what a preflight saw."""
    warnings = "".join(f"- {cell(warning)}\n" for warning in seen.warnings)
    return (
        f"| | |\n|---|---|\n| artifact | `{seen.version.digest}` |\n| commit | `{seen.version.commit}` |\n"
        f"| live now | {_live(seen.live)} |\n| verdict | {cell(seen.verdict.reason)} |\n"
        f"| checks ran isolated by | {cell(seen.isolation)} |\n\n"
        f"## What goes out\n\n{cell(seen.commits_note)}\n\n{_commits(seen)}\n\n"
        f"## What was checked\n\n{checks_table(seen.checks)}\n\n## Mind\n\n{warnings}"
    )


def _live(live: Live | None) -> str:
    if live is None:
        return "nothing"
    what = f"{cell(live.version.version)} (`{live.version.digest[:12]}`)"
    return f"{what}, slot {live.slot}, since {live.since:%Y-%m-%d %H:%M} UTC"


def _commits(seen: Preflight) -> str:
    rows = ["| commit | by | what |", "|---|---|---|"]
    for commit in seen.commits[:SHOWN_COMMITS]:
        rows.append(f"| `{commit.hash[:12]}` | {cell(commit.author)} | {cell(commit.subject)} |")
    more = len(seen.commits) - SHOWN_COMMITS
    return "\n".join(rows) + (f"\n\nand {more} more" if more > 0 else "")


def outcome_page(rollout: Rollout, outcome: str, reason: str) -> str:
    """Return what happened: the outcome, its reason, and how long each step took."""
    steps = "\n".join(f"| {name} | {seconds:.2f} |" for name, seconds in rollout.seconds.items())
    return (
        f"# {cell(rollout.version.version)} in {rollout.place.name}: {outcome}\n\n{cell(reason)}\n\n"
        f"| | |\n|---|---|\n| artifact | `{rollout.version.digest}` |\n| slot | {rollout.slot} |\n"
        f"| live before | {_live(rollout.before)} |\n| lease epoch | {rollout.lease.epoch} |\n\n"
        f"| step | seconds |\n|---|---:|\n{steps}\n"
    )
