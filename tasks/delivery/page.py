"""The delivery report as one HTML file, as a page of the UI, and as a message. All values are escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gates.delivery import duration, in_words
from gates.notify.messages import Message, Tone, plain_markdown
from tasks.delivery import plots
from tasks.delivery.collect import Report

SHOWN = 12
DEFINITIONS = {
    "deployment frequency": "releases that reached people, per day",
    "lead time": "from a commit to the end of the release that brought it to production, median",
    "change failure rate": "deployments that were rolled back or could not be finished",
    "time to restore": "from a failing version's first traffic to a good one's, median",
    "rework rate": "deployments that repaired a failed one",
    "CI": "good runs of ci, median",
    "test execution": "the slowest suite of a commit, median",
    "deployment": "promoted releases, without the wait for approval, median",
    "rollback": "from the decision to the old version serving, median",
    "waiting for approval": "from the question to the answer, median",
}
PLOTS = (
    ("Deployments", "Each bar is a day, a week, or 30 days of a long time.", plots.deployments),
    ("Lead time", "A dot is a commit; the line is the median.", plots.lead_times),
    ("Change failure rate", "Of the last 20 deployments.", plots.failure_rate),
    ("Time to restore", "A dot is a failed deployment.", plots.restores),
    ("Where a release's time goes", "Median seconds of each step.", plots.where_time_goes),
    ("CI", "A dot is a run.", plots.ci_times),
)
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html_page(report: Report) -> str:
    """Return the whole page. It loads nothing."""
    failures = [deployment for deployment in report.deployments if deployment.failed]
    return TEMPLATES.get_template("page.html.j2").render(
        report=report,
        span=_span(report),
        definitions=DEFINITIONS,
        plots=[(title, text, plots.svg(report, draw)) for title, text, draw in PLOTS],
        failures=failures[: -SHOWN - 1 : -1],
        shown=SHOWN,
        in_words=in_words,
        duration=duration,
    )


def _span(report: Report) -> str:
    return f"{report.since:%-d %B %Y} to {report.until:%-d %B %Y}"


def markdown_page(report: Report) -> str:
    """Return the report as Markdown for the UI's artifacts, without plots."""
    rows = "\n".join(
        f"| {figure.name} | **{in_words(figure)}** | {figure.target.text if figure.target else '–'} | "
        f"{ {True: '✓', False: '✗', None: '–'}[figure.met]} | {figure.samples} | {plain_markdown(figure.note) or '–'} |"
        for figure in (*report.figures, *report.times)
    )
    heads = "\n".join(f"| {name} | {seq} | `{mark}` |" for name, seq, mark in report.heads)
    notes = "".join(f"\n- {plain_markdown(note)}" for note in report.notes)
    return (
        f"# How well {plain_markdown(report.app)} is delivered\n\n{report.environment}, {_span(report)}\n\n"
        f"| figure | value | target | met | seen | note |\n|---|---|---|---|---:|---|\n{rows}\n\n"
        f"## Journals\n\n| environment | entries | hash of the newest |\n|---|---:|---|\n{heads}\n{notes}\n"
    )


def report_message(report: Report) -> Message:
    """Return the weekly message: the figures, and the journals' hashes as an anchor outside this host."""
    judged = [figure for figure in report.figures if figure.met is not None]
    missed = [figure.name for figure in judged if not figure.met]
    headline = f"{report.app} in {report.environment}: " + (
        f"{', '.join(missed)} missed" if missed else "on target" if judged else "no data"
    )
    facts = tuple(
        (figure.name, in_words(figure) + (f" (target: {figure.target.text})" if figure.target else ""))
        for figure in report.figures
    )
    heads = tuple(f"journal of {name}: entry {seq}, {mark}" for name, seq, mark in report.heads)
    tone = Tone.BAD if missed else Tone.GOOD if judged else Tone.PLAIN
    return Message(headline=headline, tone=tone, facts=facts, lines=heads, footer=_span(report))
