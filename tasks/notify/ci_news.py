"""Tell how `ci` goes: GitHub's statuses and comment, and Slack or the page. Never fails or delays the run."""

from collections.abc import Mapping, Sequence

from prefect import runtime

from gates.check import Check
from gates.notify.texts import CiResult
from gates.scans.sarif import to_sarif
from gates.scans.waivers import Waiver
from gates.verdict import Action, Verdict
from host.errors import SlipwayError
from tasks.notify.github import begin_checks, tell_checks, tell_findings
from tasks.notify.links import run_url
from tasks.notify.messages import tell_result
from tasks.source.git import Source
from tasks.states import cause


def begin_ci(source: Source, working_tree: str | None = None) -> None:
    """Tell GitHub that the commit is being checked. Nobody is told of a working tree: only its owner knows it."""
    if not working_tree:
        begin_checks(source.commit, run_url(str(runtime.flow_run.id)))


def tell_ci(
    source: Source,
    checks: Sequence[Check],
    verdict: Verdict,
    waived: Mapping[str, Waiver],
    working_tree: str | None = None,
) -> None:
    """Tell the result of every check. A stranger's commit (a fork's) is told on GitHub only."""
    if working_tree:
        return
    result = _result(source, checks, verdict.action is Action.PROMOTE, verdict.reason)
    tell_checks(result)
    findings = [one for check in checks for one in check.findings]
    known = [one for check in checks for one in check.known]
    tell_findings(source.commit, source.branch, to_sarif(findings, waived, source.commit, known=known))
    if source.signable:
        tell_result(result, source.history[0].email)


def tell_broken(source: Source | None, error: SlipwayError, working_tree: str | None = None) -> None:
    """Tell that `ci` could not come to a result. Without a source there is no commit to tell it of."""
    if working_tree or source is None:
        return
    result = _result(source, (), False, cause(error))
    tell_checks(result)
    if source.signable:
        tell_result(result, source.history[0].email)


def _result(source: Source, checks: Sequence[Check], good: bool, reason: str) -> CiResult:
    return CiResult(
        version=source.version,
        commit=source.commit,
        branch=source.branch,
        author=source.history[0].author,
        subject=source.history[0].subject,
        good=good,
        reason=reason,
        checks=tuple(checks),
        url=run_url(str(runtime.flow_run.id)),
    )
