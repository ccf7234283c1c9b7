"""How often the judge stops a good version by chance, and how soon it sees a bad one: simulated, with a seed.

It is the judge's own detector, with the share of the error that each figure has, looked at twice a second.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist

from gates.release.analysis import ALPHA, FIGURES, SLOW_SHARE
from gates.release.sequential import Detector

RELEASES, BAD_RELEASES = 10_000, 1_000
LIMIT = 0.01
BASES = (0.001, 0.003, 0.005, 0.01)
RATES = (2, 20, 100)  # requests a second
LOOKS_A_SECOND = 2
BAKE_LOOKS = 60 * LOOKS_A_SECOND
# Errors come in bursts of so many on average (geometric), within so many seconds.
BURST, BURST_S = 10, 0.4
BAD = (0.02, 0.03, 0.1, 0.24)
# Times of answers: log-normal, as they often are; slower by half, where a twentieth was slower than the limit.
SPREAD, SLOWER = 0.5, 1.5
AT_ONCE = 500
Looks = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Stopped:
    """Which share (0 to 1) of good versions was stopped within a bake: by the share of errors, requests a second."""

    share: float
    rate: int
    bursts: bool
    stopped: float


@dataclass(frozen=True)
class Seen:
    """After how many requests and looks (means) a bad version was seen; `bound` requests is the least for any test."""

    what: str
    rate: int
    missed: int
    requests: float
    looks: float
    bound: float


def run(tell: Callable[[str], None]) -> tuple[list[Stopped], list[Seen]]:
    """Simulate all rows, as many at a time as there are processors."""
    with ProcessPoolExecutor() as processes:
        good = [
            processes.submit(_good, share, rate, bursts)
            for bursts in (False, True)
            for share in BASES
            for rate in RATES
        ]
        bad = [processes.submit(_bad, what, share, limit, rate) for what, share, limit in _bads() for rate in RATES]
        stopped = []
        for number, one in enumerate(good, 1):
            stopped.append(one.result())
            tell(f"{number} of {len(good)} rows of good versions, {RELEASES:,} releases each")
        return stopped, [one.result() for one in bad]


def information_bound(share: float, limit: float) -> float:
    """Return the least requests on average after which any test with the error ALPHA may say so (Wald 1947, A:197):
    log(1 / ALPHA) over the divergence of Kullback and Leibler.
    """
    divergence = share * math.log(share / limit) + (1 - share) * math.log((1 - share) / (1 - limit))
    return -math.log(ALPHA) / divergence


def _bads() -> list[tuple[str, float, float]]:
    slower = 1 - NormalDist().cdf(NormalDist().inv_cdf(1 - SLOW_SHARE) - math.log(SLOWER) / SPREAD)
    errors = [(f"{share:.0%} errors, limit {LIMIT:.0%}", share, LIMIT) for share in BAD]
    return [*errors, (f"answers take {SLOWER:g} times as long", slower, SLOW_SHARE)]


def _good(share: float, rate: int, bursts: bool) -> Stopped:
    draw = _bursting if bursts else _independent
    seed = zlib.crc32(f"{share} {rate} {bursts}".encode())
    stopped = 0
    for batch in range(RELEASES // AT_ONCE):
        for looks in draw(share, rate, BAKE_LOOKS, seed + batch):
            stopped += _detected(looks, LIMIT) is not None
    return Stopped(share, rate, bursts, stopped / RELEASES)


def _bad(what: str, share: float, limit: float, rate: int) -> Seen:
    bound = information_bound(share, limit)
    most = math.ceil(8 * bound / rate * LOOKS_A_SECOND) + 40
    seed = zlib.crc32(f"{share} {rate}".encode())
    found, requests, looks_needed = 0, 0, 0
    for batch in range(BAD_RELEASES // AT_ONCE):
        for looks in _independent(share, rate, most, seed + batch):
            at = _detected(looks, limit)
            if at is not None:
                found += 1
                looks_needed += at
                requests += sum(came for came, _ in looks[:at])
    return Seen(what, rate, BAD_RELEASES - found, requests / max(1, found), looks_needed / max(1, found), bound)


def _detected(looks: Looks, limit: float) -> int | None:
    """Return after how many looks too many fail, None if never."""
    detector = Detector(limit)
    for number, (requests, failed) in enumerate(looks, 1):
        detector.add(requests, failed)
        if detector.enough(ALPHA / FIGURES):
            return number
    return None


def _independent(share: float, rate: int, looks: int, seed: int) -> Iterable[Looks]:
    """Yield AT_ONCE releases: users come as they like (Poisson), each request fails for itself."""
    from scipy.stats import binom, poisson

    came = poisson.rvs(rate / LOOKS_A_SECOND, size=(AT_ONCE, looks), random_state=seed)
    failed = binom.rvs(came, share, random_state=seed + 1)
    for requests, failures in zip(came.tolist(), failed.tolist(), strict=True):
        yield list(zip(requests, failures, strict=True))


def _bursting(share: float, rate: int, looks: int, seed: int) -> Iterable[Looks]:
    """Yield AT_ONCE releases with as many failures, which come in bursts."""
    import random

    from scipy.stats import poisson

    generator = random.Random(seed)
    came = poisson.rvs(rate / LOOKS_A_SECOND, size=(AT_ONCE, looks), random_state=seed)
    lasts_s = looks / LOOKS_A_SECOND
    counts = poisson.rvs(rate * share / BURST * lasts_s, size=AT_ONCE, random_state=seed + 1)
    for requests, bursts in zip(came.tolist(), counts.tolist(), strict=True):
        failures = [0] * looks
        for _ in range(bursts):
            begins_s = generator.uniform(0, lasts_s)
            size = math.ceil(math.log(1 - generator.random()) / math.log(1 - 1 / BURST)) or 1
            for _ in range(size):
                at = int((begins_s + generator.uniform(0, BURST_S)) * LOOKS_A_SECOND)
                if at < looks:
                    failures[at] += 1
        yield [(max(all_of, bad), bad) for all_of, bad in zip(requests, failures, strict=True)]
