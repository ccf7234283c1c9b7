"""The plots of the delivery report, as SVG for the page and PNG for Slack. Text takes the colour around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gates.delivery import CI, FAILURES, LEAD, RESTORE, duration, median
from tasks.delivery.collect import Report

# matplotlib takes half a second to import, and every command and flow process would: each plot imports what it needs.
if TYPE_CHECKING:
    from matplotlib.axes import Axes

GOOD, BAD, ACCENT, TARGET = "#2a9d8f", "#d1495b", "#3b7dd8", "#e9a23b"
INK = "#123456"  # replaced by currentColor
MOST_POINTS = 1500
SIZE = (7.2, 2.7)
STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 10,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.major.size": 0,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
Draw = Callable[["Axes", Report], bool]


class Svg(str):
    """A picture of matplotlib's, which escapes every text in it: a template puts it in as it is."""

    def __html__(self) -> str:
        return self


def svg(report: Report, draw: Draw) -> Svg:
    """Return a plot as inline SVG, empty when there is nothing to draw."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "svg.hashsalt": draw.__name__}):
        figure = Figure(figsize=SIZE)
        if not draw(figure.subplots(), report):
            return Svg()
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"font: (\d+)px [^;\"]+", r"font: \1px system-ui, sans-serif", text)
    opening = r'<svg viewBox="\1" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return Svg(re.sub(r'<svg [^>]*viewBox="([^"]+)"[^>]*>', opening, text, count=1))


def png(report: Report) -> bytes:
    """Return the first two plots as one picture."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, **dict.fromkeys(("text.color", "xtick.color", "ytick.color"), "#333333")}):
        figure = Figure(figsize=(8, 5.4), facecolor="white")
        FigureCanvasAgg(figure)
        top, bottom = figure.subplots(2)
        top.set_title("deployments", loc="left")
        bottom.set_title("lead time of each commit", loc="left")
        deployments(top, report)
        lead_times(bottom, report)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def deployments(axes: Axes, report: Report) -> bool:
    """Draw how many deployments there were each day or week, failed ones apart."""
    from matplotlib.ticker import MaxNLocator

    edges = _edges(report)
    good = _counts([one.at for one in report.deployments if not one.failed], edges)
    bad = _counts([one.at for one in report.deployments if one.failed], edges)
    width = (edges[1] - edges[0]).total_seconds() / 86400 * 0.82
    middles = _days([edge + (edges[1] - edges[0]) / 2 for edge in edges[:-1]])
    axes.bar(middles, good, width, color=GOOD, label="good")
    axes.bar(middles, bad, width, bottom=good, color=BAD, label="failed")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.set_ylim(0, max([1.0, *(a + b for a, b in zip(good, bad, strict=True))]) * 1.15)
    _dates(axes, report)
    axes.legend(ncols=2, loc="upper left", bbox_to_anchor=(0, 1.16), borderaxespad=0)
    return bool(report.deployments)


def lead_times(axes: Axes, report: Report) -> bool:
    """Draw each commit's way to production, with the median of each day or week."""
    points = _thinned(report.arrivals)
    axes.plot(
        _days([one.at for one in points]), [max(one.lead_s, 1) for one in points], ".", color=ACCENT, alpha=0.35, ms=5
    )
    edges = _edges(report)
    steps = [
        (begin, median([one.lead_s for one in report.arrivals if begin <= one.at < end]))
        for begin, end in zip(edges, edges[1:], strict=False)
    ]
    known = [(begin + (edges[1] - edges[0]) / 2, value) for begin, value in steps if value]
    axes.plot(_days([at for at, _ in known]), [value for _, value in known], color=ACCENT, lw=2)
    _seconds(axes, report, LEAD.limit, LEAD.text)
    return bool(points)


def failure_rate(axes: Axes, report: Report) -> bool:
    """Draw the share of failures among the last 20 deployments."""
    seen = report.deployments
    shares = [
        (seen[index].at, sum(bool(one.failed) for one in seen[max(0, index - 19) : index + 1]) / min(index + 1, 20))
        for index in range(max(0, min(4, len(seen) - 1)), len(seen))
    ]
    axes.fill_between(
        _days([at for at, _ in shares]), [share * 100 for _, share in shares], color=BAD, alpha=0.25, step="post"
    )
    axes.step(_days([at for at, _ in shares]), [share * 100 for _, share in shares], color=BAD, where="post")
    axes.set_ylim(0, max(12.0, *(share * 110 for _, share in shares)) if shares else 12)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
    _target(axes, FAILURES.limit * 100, FAILURES.text)
    _dates(axes, report)
    return bool(shares)


def restores(axes: Axes, report: Report) -> bool:
    """Draw how long each failure lasted."""
    points = [(one.at, one.restore_s) for one in report.deployments if one.restore_s]
    axes.plot(_days([at for at, _ in points]), [value for _, value in points], "o", color=BAD, ms=6, alpha=0.8)
    _seconds(axes, report, RESTORE.limit, RESTORE.text)
    return bool(points)


def where_time_goes(axes: Axes, report: Report) -> bool:
    """Draw the median seconds of each step of a release."""
    names = [name for name, _ in report.steps]
    values = [seconds for _, seconds in report.steps]
    places = range(len(names))
    axes.barh(places, values, color=ACCENT, height=0.62)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    for place, value in zip(places, values, strict=True):
        axes.annotate(duration(value), (value, place), xytext=(4, 0), textcoords="offset points", va="center")
    axes.grid(visible=False)
    axes.set_xlim(0, max([1.0, *values]) * 1.18)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    return bool(names)


def ci_times(axes: Axes, report: Report) -> bool:
    """Draw how long each run of `ci` took, failed ones apart."""
    for good, color, label in ((True, GOOD, "good"), (False, BAD, "failed")):
        points = _thinned([one for one in report.ci if one.good is good])
        axes.plot(
            _days([one.at for one in points]),
            [max(one.seconds, 1) for one in points],
            ".",
            color=color,
            ms=7,
            label=label,
        )
    _seconds(axes, report, CI.limit, CI.text)
    axes.legend(ncols=2, loc="upper left", bbox_to_anchor=(0, 1.16), borderaxespad=0)
    return bool(report.ci)


def _days(times: Sequence[datetime]) -> list[float]:
    """Return times as matplotlib counts them: days since 1970."""
    return [at.timestamp() / 86400 for at in times]


def _thinned(points: Sequence[Any]) -> Sequence[Any]:
    return points[:: max(1, len(points) // MOST_POINTS + 1)] if len(points) > MOST_POINTS else points


def _edges(report: Report) -> list[datetime]:
    """Return the borders of the days, weeks or months that are counted."""
    days = (report.until - report.since).days
    step = timedelta(days=1 if days <= 45 else 7 if days <= 550 else 30)
    begin = datetime(report.since.year, report.since.month, report.since.day, tzinfo=UTC)
    edges = [begin]
    while edges[-1] < report.until:
        edges.append(edges[-1] + step)
    return edges


def _counts(times: Sequence[datetime], edges: Sequence[datetime]) -> list[int]:
    counts = [0] * (len(edges) - 1)
    step = edges[1] - edges[0]
    for at in times:
        index = (at - edges[0]) // step
        if 0 <= index < len(counts):
            counts[index] += 1
    return counts


def _dates(axes: Axes, report: Report) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.set_xlim(*_days([report.since, report.until]))
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _target(axes: Axes, limit: float, text: str) -> None:
    axes.axhline(limit, color=TARGET, lw=1.5, ls=(0, (4, 3)))
    axes.annotate(
        re.sub(r"^(under|\d+ to) ", r"\1\n", text),
        (1, limit),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=TARGET,
        annotation_clip=False,
    )


def _seconds(axes: Axes, report: Report, limit: float, text: str) -> None:
    ticks = (1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, limit / 4), max(high, limit * 4))
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    axes.set_yticks([], minor=True)
    axes.yaxis.set_major_formatter(lambda value, _: _tick(value))
    _target(axes, limit, text)
    _dates(axes, report)


def _tick(seconds: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} s"
