"""The load test as a picture and as a page of the run."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

from gates.check import Check
from gates.checks.load_pairs import REGRESSION, Versus, finding_of, versus_notes
from gates.checks.performance import SCORE_TARGET, Trend, performance_score
from gates.checks.quantiles import nearest_rank
from settings.pipeline import Performance
from tasks.artifacts import SIGN, cell
from tasks.load.figures import KEPT_PERCENTS, MB, Measured, by_endpoint

MOST_BINS = 60
SHOWN_ENDPOINTS = 30
COLOURS = 64
SHADES = ((0.5, "#1b9e77"), (0.95, "#d95f02"), (0.99, "#7570b3"))


def draw_load(measured: Measured, performance: Performance, earlier: Sequence[Trend]) -> bytes:
    """Return a PNG: latency and requests over time, latencies by percentile (the last good run behind), memory and
    processor over time, with their limits.
    """
    # Here, not at the top: it takes a second, and only this needs it. The figure is made without pyplot, which is not
    # for threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(9.6, 7.2), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    times, percentiles, resources = figure.subplots(3, 1, height_ratios=[3, 2, 2])
    _draw_times(times, measured)
    _draw_percentiles(percentiles, measured, earlier)
    _draw_resources(resources, measured, performance)
    canvas.draw()
    drawn = Image.frombuffer("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba())).convert("RGB")
    picture = io.BytesIO()
    drawn.quantize(COLOURS).save(picture, format="png", optimize=True)  # a third of the bytes, and looks the same
    return picture.getvalue()


def _draw_times(axes: Any, measured: Measured) -> None:
    start, bins, width_s = _bins(measured)
    middles = [(number + 0.5) * width_s for number in bins]
    for share, colour in SHADES:
        heights = [1000 * nearest_rank(latencies, share) for latencies in bins.values()]
        axes.plot(middles, heights, color=colour, label=f"p{share * 100:g}", linewidth=1.5)
    axes.set(ylabel="latency, ms", xlabel="seconds", title="Latency and requests over time", yscale="log")
    axes.set_xlim(0, _duration_s(measured))
    _plain_numbers(axes)
    axes.axvline(measured.recorded.ending.full_load_at - start, color="#888", linestyle=":", label="all users there")
    rate = axes.twinx()
    rate.bar(middles, [len(one) / width_s for one in bins.values()], width_s * 0.9, color="#bbb", alpha=0.5)
    rate.set_ylabel("requests/s (bars)")
    axes.set_zorder(rate.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.legend(loc="upper right", fontsize="small", ncols=4)


def _bins(measured: Measured) -> tuple[float, dict[int, list[float]], float]:
    """Return the start, the ordered latencies of each bin of time, and a bin's width in seconds."""
    ending = measured.recorded.ending
    start = ending.started_at
    width_s = max(0.5, (ending.stopped_at - start) / MOST_BINS)
    bins: dict[int, list[float]] = {}
    for one in measured.recorded.requests:
        bins.setdefault(max(0, int((one.at - start) / width_s)), []).append(max(one.milliseconds / 1000, 1e-6))
    return start, {number: sorted(bins[number]) for number in sorted(bins)}, width_s


def _draw_percentiles(axes: Any, measured: Measured, earlier: Sequence[Trend]) -> None:
    latencies = measured.latencies_s
    places = [_place(percent) for percent in KEPT_PERCENTS]
    if latencies:
        heights = [1000 * nearest_rank(latencies, percent / 100) for percent in KEPT_PERCENTS]
        axes.plot(places, heights, color="#d95f02", marker=".", label="this run")
    if earlier:
        before = {float(percent): 1000 * seconds for percent, seconds in earlier[0].quantiles_s.items()}
        shown = [percent for percent in sorted(before) if percent < 100]
        axes.plot(
            [_place(percent) for percent in shown],
            [before[percent] for percent in shown],
            color="#888",
            label="last good run",
        )
    ticks = (50, 90, 95, 99, 99.9)
    axes.set_xticks([_place(percent) for percent in ticks], [f"{percent:g} %" for percent in ticks])
    axes.set(ylabel="latency, ms", title="Share of requests at most this slow", yscale="log")
    axes.grid(alpha=0.3)
    _plain_numbers(axes)
    if latencies or earlier:
        axes.legend(loc="upper left", fontsize="small")


def _duration_s(measured: Measured) -> float:
    return measured.recorded.ending.stopped_at - measured.recorded.ending.started_at


def _plain_numbers(axes: Any) -> None:
    """Label a logarithmic axis 10, 20, 50, 100 instead of powers of ten."""
    from matplotlib.ticker import LogFormatter, LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(LogFormatter(minor_thresholds=(10, 10)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _place(percent: float) -> float:
    """Return where a percentile stands on an axis that gives each further nine the same room."""
    return -math.log10(1 - percent / 100)


def _draw_resources(axes: Any, measured: Measured, performance: Performance) -> None:
    start = measured.recorded.ending.started_at
    times = [one.at - start for one in measured.samples]
    axes.plot(times, [one.memory_bytes / MB for one in measured.samples], color="#7570b3", label="memory, MB")
    axes.axhline(performance.max_memory_mb, color="#7570b3", linestyle="--", linewidth=0.8)
    axes.set(ylabel="memory, MB", xlabel="seconds", title="Memory and processor (limits dashed)")
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, _duration_s(measured))
    share = axes.twinx()
    pairs = list(zip(measured.samples, measured.samples[1:], strict=False))
    used = [
        100 * (later.app_cpu_s - one.app_cpu_s) / (later.at - one.at) / performance.cpu_cores for one, later in pairs
    ]
    share.plot(times[1:], used, color="#1b9e77", linewidth=1, label="processor, % of the allowance")
    share.axhline(performance.max_cpu_percent, color="#1b9e77", linestyle="--", linewidth=0.8)
    share.set_ylabel("processor, %")
    share.set_ylim(bottom=0)
    lines = [*axes.get_lines()[:1], *share.get_lines()[:1]]
    axes.legend(lines, [str(one.get_label()) for one in lines], loc="center right", fontsize="small")


def load_page(check: Check, measured: Measured, versus: Versus, plot: bytes) -> str:
    """Return the run's page: verdict, each measure with its limit and margin, the picture, the pairs, each endpoint."""
    score = performance_score(check.measures)
    shown = (
        f"{score:.1f} of 100, wanted more than {SCORE_TARGET:g}" if score is not None else "none: a figure is missing"
    )
    picture = base64.b64encode(plot).decode()
    notes = "\n".join(f"- {cell(note)}" for note in check.notes)
    return (
        f"## {SIGN[check.outcome]} Load test: {check.outcome}\n\n{cell(check.reason)}\n\n{cell(check.examined)}. "
        f"Score: {shown}.\n\n{_measures(check)}\n\n![Latency, percentiles, memory and processor](data:image/png;base64,"
        f"{picture})\n\n{notes}\n\n### Against the base\n\n{_pairs(versus)}\n\n"
        f"### By endpoint\n\n{_endpoints(measured)}\n"
    )


def _measures(check: Check) -> str:
    rows = ["| measure | value | limit | margin | |", "|---|---:|---:|---:|---|"]
    for one in check.measures:
        sign = {True: "✓", False: "✗", None: "?"}[one.holds]
        value = "–" if one.value is None else f"{one.value:.4g}{one.unit}"
        margin = "–" if one.margin is None else f"{one.margin:.4g}{one.unit}"
        rows.append(f"| {cell(one.name)} | {value} | {cell(one.bound)} {one.limit:g}{one.unit} | {margin} | {sign} |")
    return "\n".join(rows)


def _pairs(versus: Versus) -> str:
    """Return what each figure's pairs came to, and the pairs of the p95."""
    if not versus.figures:
        return cell(" ".join(versus_notes(versus)))
    rows = ["| figure | base ms | candidate ms | ratio | between | pairs | |", "|---|---:|---:|---:|---:|---:|---|"]
    for one in versus.figures:
        seen = one.compared
        ratio = "–" if seen.ratio is None else f"{seen.ratio:.2f}"
        between = "–" if seen.low is None or seen.high is None else f"{seen.low:.2f} to {seen.high:.2f}"
        times = f"{1000 * one.base_s:.1f} | {1000 * one.candidate_s:.1f}"
        found = finding_of(one, versus.rules)
        rows.append(f"| {cell(one.name)} | {times} | {ratio} | {between} | {seen.pairs} | {cell(found)} |")
    pairs = next((one.pairs for one in versus.figures if one.name == REGRESSION), ())
    each = ", ".join(f"{1000 * pair.base:.1f}/{1000 * pair.candidate:.1f}" for pair in pairs)
    return "\n".join(rows) + f"\n\nBase {cell(versus.base)}. p95 of each pair, base/candidate in ms: {each or 'none'}."


def _endpoints(measured: Measured) -> str:
    failed: dict[str, int] = {}
    for one in measured.recorded.requests:
        failed[f"{one.method} {one.name}"] = failed.get(f"{one.method} {one.name}", 0) + (not one.good)
    rows = ["| endpoint | requests | failed | p50 ms | p95 ms | p99 ms |", "|---|---:|---:|---:|---:|---:|"]
    found = by_endpoint(measured.recorded.requests)
    for name, latencies in list(found.items())[:SHOWN_ENDPOINTS]:
        times = " | ".join(f"{1000 * nearest_rank(latencies, share):.1f}" for share in (0.5, 0.95, 0.99))
        rows.append(f"| {cell(name)} | {len(latencies)} | {failed[name]} | {times} |")
    more = len(found) - SHOWN_ENDPOINTS
    return "\n".join(rows) + (f"\n\nand {more} more" if more > 0 else "")
