"""Judge a new version on the router's own per-slot figures, look after look."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gates.release.sequential import Detector
from gates.verdict import Action, Verdict

# A version that keeps its limits is rolled back by chance in at most so many releases: over all looks, and over the
# figures together, which share it.
ALPHA = 0.01
FIGURES = 3
# A percentile is above its limit when more than so many are slower than that.
SLOW_SHARE = 0.05
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

    @property
    def total(self) -> int:
        return sum(self.responses.values())

    @property
    def timed(self) -> int:
        """Return how many requests have a time."""
        return self.time_buckets_ms[-1][1] if self.time_buckets_ms else 0

    def since(self, before: "SlotCounters") -> "SlotCounters":
        """Return what was counted after `before`: all, when the router was restarted in between (counts went back)."""
        if self.total < before.total or self.timed < before.timed:
            return self
        earlier = dict(before.time_buckets_ms)
        return SlotCounters(
            responses={name: max(0, count - before.responses.get(name, 0)) for name, count in self.responses.items()},
            connect_failures=max(0, self.connect_failures - before.connect_failures),
            active=self.active,
            time_buckets_ms=tuple(
                (bound, max(0, count - earlier.get(bound, 0))) for bound, count in self.time_buckets_ms
            ),
        )

    def plus(self, more: "SlotCounters") -> "SlotCounters":
        """Return the counts of both; `active` is that of the later one, `more`."""
        names = {**self.responses, **more.responses}
        mine, other = dict(self.time_buckets_ms), dict(more.time_buckets_ms)
        return SlotCounters(
            responses={name: self.responses.get(name, 0) + more.responses.get(name, 0) for name in names},
            connect_failures=self.connect_failures + more.connect_failures,
            active=more.active,
            time_buckets_ms=tuple((bound, mine.get(bound, 0) + other.get(bound, 0)) for bound in sorted(mine | other)),
        )

    def slower_than(self, seconds: float) -> int:
        """Return how many requests took longer, for certain: longer than the smallest bound that is not below
        `seconds`, or than the last one.
        """
        known = [(bound, count) for bound, count in self.time_buckets_ms if math.isfinite(bound)]
        within = next((count for bound, count in known if bound >= 1000 * seconds), known[-1][1] if known else 0)
        return self.timed - within

    def percentile_s(self, share: float) -> float | None:
        """Return the upper bound of the bucket in which the percentile falls; None without a time."""
        wanted = share * self.timed
        return next(bound for bound, count in self.time_buckets_ms if count >= wanted) / 1000 if self.timed else None


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


def observe(counted: SlotCounters, probes: Probes = Probes()) -> Observation:
    """Return what was counted in a window as what users and probes saw."""
    return Observation(
        requests=max(0, counted.total - probes.sent),
        errors=max(0, counted.responses.get("5xx", 0) - probes.failed),
        probes=probes,
        p95_s=counted.percentile_s(1 - SLOW_SHARE),
    )


class Judge:
    """Judges one slot from a first reading of its counters on, with a bound on chance that holds at every look."""

    def __init__(self, first: SlotCounters, limits: Limits, base: Observation | None = None) -> None:
        self.limits = limits
        self.base = base
        self.counted = SlotCounters()
        self._last = first
        self.max_error_rate = _error_limit(limits, base)
        self.slow_s, self.slow_reason = _slow_limit(limits, base)
        # Probes make up the number where users are few, and must not hide that all of these few fail.
        self.users = Detector(self.max_error_rate)
        self.answers = Detector(self.max_error_rate)
        self.slow = Detector(SLOW_SHARE)

    def look(self, counters: SlotCounters, probes: Probes = Probes()) -> Verdict:
        """Take the counters as they are now, and the probes so far; return the verdict of all that was seen.

        ROLL_BACK when it cannot be chance, PROMOTE when enough is known and every figure keeps its limit, else WAIT.
        """
        self.counted = self.counted.plus(counters.since(self._last))
        self._last = counters
        seen = observe(self.counted, probes)
        _grow(self.users, seen.requests, seen.errors)
        _grow(self.answers, seen.requests + probes.sent - probes.late, seen.errors + probes.failed)
        _grow(self.slow, self.counted.timed, self.counted.slower_than(self.slow_s))
        return self._bad(seen) or self._unknown(seen) or Verdict(Action.PROMOTE, self._good(seen))

    def _good(self, seen: Observation) -> str:
        p95_s = seen.p95_s or 0.0
        within = "within" if p95_s <= self.slow_s else "which the router cannot tell from"
        return (
            f"error rate {seen.error_rate:.2%} of {seen.requests} requests (and {seen.probes.sent} probes) within "
            f"{self.max_error_rate:.2%}, p95 up to {p95_s:.3g} s {within} {self.slow_s:g} s"
        )

    def _bad(self, seen: Observation) -> Verdict | None:
        if seen.probes.silent:
            return Verdict(Action.ROLL_BACK, f"{seen.probes.late_in_a_row} probes in a row got no answer in time")
        for detector, told in ((self.users, self._errors(seen)), (self.answers, self._answers(seen))):
            if detector.enough(ALPHA / FIGURES):
                return Verdict(Action.ROLL_BACK, f"{told} exceeds {self.max_error_rate:.2%}")
        if self.slow.enough(ALPHA / FIGURES):
            return Verdict(Action.ROLL_BACK, self._slow(seen))
        return None

    def _unknown(self, seen: Observation) -> Verdict | None:
        probes, known = seen.probes, self.answers.whole.requests
        if probes.late_in_a_row:
            return Verdict(Action.WAIT, f"{probes.late} of {probes.sent} probes got no answer in time")
        if known < self.limits.min_requests or seen.p95_s is None:
            return Verdict(Action.WAIT, f"{known} requests, need {self.limits.min_requests} to judge")
        for detector, told in ((self.users, self._errors(seen)), (self.answers, self._answers(seen))):
            if detector.whole.share > self.max_error_rate:
                return Verdict(Action.WAIT, f"{told} is above {self.max_error_rate:.2%}, which may be chance")
        if self.slow.whole.share > SLOW_SHARE:
            return Verdict(Action.WAIT, f"{self._slow(seen)}, which may be chance")
        return None

    def _errors(self, seen: Observation) -> str:
        return f"error rate {seen.error_rate:.2%} ({seen.errors} of {max(seen.requests, seen.errors)} requests)"

    def _answers(self, seen: Observation) -> str:
        failed, of, share = self.answers.whole.failed, self.answers.whole.requests, self.answers.whole.share
        return f"error rate with probes {share:.2%} ({failed} of {of}, {seen.probes.failed} of them probes)"

    def _slow(self, seen: Observation) -> str:
        told = seen.p95_s is not None and math.isfinite(seen.p95_s)
        shown = f"{seen.p95_s:.3g} s" if told else "beyond the router's last bucket"
        slower, of = self.slow.whole.failed, self.slow.whole.requests
        return f"p95 {shown} exceeds {self.slow_reason} ({slower} of {of} requests are slower)"


def _grow(detector: Detector, requests: int, failed: int) -> None:
    """Add what came since the last look. What a probe was counted as comes a moment later: nothing is taken back."""
    seen = detector.whole
    more_failed = max(0, failed - seen.failed)
    detector.add(max(0, requests - seen.requests, more_failed), more_failed)


def _error_limit(limits: Limits, base: Observation | None) -> float:
    """Return the share of errors that may be. What failed as often before the switch is not the new version's doing."""
    enough = base is not None and base.requests >= limits.min_requests
    return max(limits.max_error_rate, base.error_rate) if base is not None and enough else limits.max_error_rate


def _slow_limit(limits: Limits, base: Observation | None) -> tuple[float, str]:
    """Return what takes too long, in seconds, and why: the limit, or so many times what it was before the switch."""
    plain = (limits.max_p95_s, f"{limits.max_p95_s:g} s")
    if base is None or not base.p95_s or base.requests < limits.min_requests:
        return plain
    allowed = max(limits.noise_floor_s, limits.max_p95_ratio * base.p95_s)
    if allowed >= limits.max_p95_s:
        return plain
    return allowed, f"{allowed:.3g} s ({limits.max_p95_ratio:g} times the {base.p95_s:.3g} s before the switch)"
