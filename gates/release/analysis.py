"""Judge one step of a traffic shift on the router's own per-slot figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gates.verdict import Action, Verdict

FEWEST_TO_BLAME = 10  # below this, one unlucky request is not a rate yet; it keeps the version from being promoted
SILENT_TO_BLAME_S = 15.0  # without an answer in time, by the time that the host could spare: less may be its doing


@dataclass(frozen=True)
class SlotCounters:
    """What the router has counted for one slot since the router started.

    `responses` by class ("2xx" ... "5xx"), the router's own 503 for a dead slot included; `time_buckets_ms` are
    cumulative counts by upper bound in milliseconds, the last bound being infinity.
    """

    responses: Mapping[str, int] = field(default_factory=dict)
    connect_failures: int = 0
    active: int = 0
    time_buckets_ms: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True)
class Probes:
    """Our own requests in the window, which the router counted too: how many, and how many of them failed (5xx).

    `late` got no answer in time, which a busy host does to a good version too; the newest `late_in_a_row` of them
    stand at the end. `silent`: those have lasted for SILENT_TO_BLAME_S.
    """

    sent: int = 0
    failed: int = 0
    late: int = 0
    late_in_a_row: int = 0
    silent: bool = False

    def after(self, *, good: bool, late: bool, silent: bool = False) -> "Probes":
        """Return these and one more."""
        return Probes(
            sent=self.sent + 1,
            failed=self.failed + (not good and not late),
            late=self.late + late,
            late_in_a_row=self.late_in_a_row + 1 if late else 0,
            silent=silent,
        )


@dataclass(frozen=True)
class Observation:
    """One slot over one window. `error_rate` is a fraction of the users' requests; `p95_s` is None without any.

    Probes that another slot answered make `requests` too small; errors are never more than requests.
    """

    requests: int
    errors: int
    probes: Probes
    p95_s: float | None

    @property
    def error_rate(self) -> float:
        return self.errors / max(self.requests, self.errors) if self.errors else 0.0


@dataclass(frozen=True)
class Limits:
    """`max_p95_ratio` compares with the window before the switch, and counts only above `noise_floor_s`."""

    min_requests: int
    max_error_rate: float
    max_p95_s: float
    max_p95_ratio: float
    noise_floor_s: float = 0.25


def observe(before: SlotCounters, after: SlotCounters, probes: Probes = Probes()) -> Observation:
    """Return what happened between two readings. A router that restarted in between (counts went back) starts at
    zero.
    """
    total_before, total_after = sum(before.responses.values()), sum(after.responses.values())
    if total_after < total_before:
        before = SlotCounters()
        total_before = 0
    errors = after.responses.get("5xx", 0) - before.responses.get("5xx", 0)
    return Observation(
        requests=max(0, total_after - total_before - probes.sent),
        errors=max(0, errors - probes.failed),
        probes=probes,
        p95_s=_percentile(before, after, 0.95),
    )


def _percentile(before: SlotCounters, after: SlotCounters, share: float) -> float | None:
    """Return the upper bound, in seconds, of the histogram bucket in which the percentile falls."""
    earlier = dict(before.time_buckets_ms)
    counts = [(bound, count - earlier.get(bound, 0)) for bound, count in after.time_buckets_ms]
    if not counts or counts[-1][1] <= 0:
        return None
    wanted = share * counts[-1][1]
    return next(bound for bound, count in counts if count >= wanted) / 1000


def judge_step(seen: Observation, limits: Limits, baseline: Observation | None = None) -> Verdict:
    """Judge the new version after a shift.

    Too little traffic is WAIT, not PROMOTE. Our own probes make up the number where users are few; they never hide a
    user's error, because rates are taken over the users' requests alone.
    """
    if seen.probes.failed:
        return Verdict(Action.ROLL_BACK, f"{seen.probes.failed} of {seen.probes.sent} probes failed")
    if seen.probes.silent:
        return Verdict(Action.ROLL_BACK, f"{seen.probes.late_in_a_row} probes in a row got no answer in time")
    if seen.errors and seen.error_rate > limits.max_error_rate:
        if seen.requests < min(FEWEST_TO_BLAME, limits.min_requests):
            return Verdict(Action.WAIT, f"{seen.errors} of only {seen.requests} requests failed")
        return Verdict(
            Action.ROLL_BACK,
            f"error rate {seen.error_rate:.2%} ({seen.errors} of {seen.requests} requests) exceeds "
            f"{limits.max_error_rate:.2%}",
        )
    if seen.probes.late_in_a_row:
        return Verdict(Action.WAIT, f"{seen.probes.late} of {seen.probes.sent} probes got no answer in time")
    known = seen.requests + seen.probes.sent - seen.probes.late
    if known < limits.min_requests or seen.p95_s is None:
        return Verdict(Action.WAIT, f"{known} requests, need {limits.min_requests} to judge")
    slow = _too_slow(seen.p95_s, limits, baseline)
    if slow:
        return Verdict(Action.ROLL_BACK, slow)
    return Verdict(
        Action.PROMOTE,
        f"error rate {seen.error_rate:.2%} of {seen.requests} requests (and {seen.probes.sent} probes) within "
        f"{limits.max_error_rate:.2%}, p95 up to {seen.p95_s:.3g} s within {limits.max_p95_s:g} s",
    )


def _too_slow(p95_s: float, limits: Limits, baseline: Observation | None) -> str:
    if p95_s > limits.max_p95_s:
        shown = "beyond the router's last bucket" if math.isinf(p95_s) else f"{p95_s:.3g} s"
        return f"p95 {shown} exceeds {limits.max_p95_s:g} s"
    enough = baseline is not None and baseline.p95_s is not None and baseline.requests >= limits.min_requests
    if enough and baseline and baseline.p95_s and p95_s > limits.noise_floor_s:
        ratio = p95_s / baseline.p95_s
        if ratio > limits.max_p95_ratio:
            return f"p95 {p95_s:.3g} s is {ratio:.1f} times that before the switch, limit {limits.max_p95_ratio:g}"
    return ""
