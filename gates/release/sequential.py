"""Evidence that too many requests fail, which may be looked at again and again.

Whoever looks at a growing sample until it looks bad finds a fault in the end, in anything. So the evidence here is a
likelihood ratio, of "more fail than the limit allows" against "exactly as many as the limit allows", mixed over
several shares. Under any share up to the limit the ratio is a supermartingale that begins at 1, so that it ever
reaches 1 / a with a probability of at most a, over all looks together (Ville's inequality; Wald, Sequential
Analysis, 1947, chapter 3; the mixture: Robbins, Statistical methods related to the law of the iterated logarithm,
Annals of Mathematical Statistics 41, 1970; Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021).

That holds for errors that come independently of each other. Errors that come in bursts (a dependency was away for a
moment) weigh less: the logarithm is divided by how much more the failures of equally long times differ than chance
allows (Pearson's dispersion; McCullagh and Nelder, Generalized Linear Models, 2nd ed., section 4.5), over blocks of
BLOCKS looks; and failures in fewer than FEWEST_LOOKS looks are one burst, whatever their number. It only ever makes
the evidence less. How often good versions are stopped and bad ones are not is simulated: `make bench ONLY=judge`.
"""

import math
from dataclasses import dataclass, field

# Times the limit: what is told apart, and its weight. Between two of them the evidence grows a little slower. Small
# excesses, which take longest to see, have most of the weight.
ALTERNATIVES = {1.5: 0.25, 2.0: 0.3, 3.0: 0.2, 5.0: 0.1, 10.0: 0.1, 30.0: 0.05}
BLOCKS = (1, 2, 4)
FEWEST_LOOKS = 3
# After a good time bursts are likelier than a fault: there it takes one look more.
FEWEST_LATER = 4
# In nats: what speaks so much for the limit is over, and what comes is looked at by itself.
ANEW = 0.0
# The part of the error that the whole time has; the rest is for what turns bad later.
WHOLE = 0.8


@dataclass
class _Blocks:
    """Equally long times of `looks` looks: what is needed for their dispersion."""

    looks: int
    requests: int = 0
    failed: int = 0
    _seen: int = 0
    _blocks: int = 0
    _all_requests: int = 0
    _all_failed: int = 0
    _squares: float = 0.0

    def add(self, requests: int, failed: int) -> None:
        self.requests += requests
        self.failed += failed
        self._seen += 1
        if self._seen % self.looks:
            return
        if self.requests:
            self._blocks += 1
            self._all_requests += self.requests
            self._all_failed += self.failed
            self._squares += self.failed**2 / self.requests
        self.requests = self.failed = 0

    @property
    def dispersion(self) -> float:
        """Return the variance of the failures between blocks, in units of what chance alone makes; 1 when unknown."""
        if self._blocks < 2 or not 0 < self._all_failed < self._all_requests:
            return 1.0
        share = self._all_failed / self._all_requests
        spread = self._squares - self._all_failed * share
        return spread / (share * (1 - share)) / (self._blocks - 1)


@dataclass
class Evidence:
    """What was seen so far against a limit: a share of requests (0 to 1) that may fail.

    `least_dispersion` is what is known of the failures' bursts beforehand, at least 1.
    """

    limit: float
    requests: int = 0
    failed: int = 0
    fewest_looks: int = FEWEST_LOOKS
    least_dispersion: float = 1.0
    looks_with_failures: int = 0
    _blocks: tuple[_Blocks, ...] = field(default_factory=lambda: tuple(_Blocks(looks) for looks in BLOCKS))

    @property
    def share(self) -> float:
        """Return the share of the requests that failed; 0 of none."""
        return self.failed / self.requests if self.requests else 0.0

    def add(self, requests: int, failed: int) -> None:
        """Take what came since the last look: so many requests (>= 0), of which so many failed (0 to `requests`)."""
        self.requests += requests
        self.failed += failed
        self.looks_with_failures += failed > 0
        for blocks in self._blocks:
            blocks.add(requests, failed)

    @property
    def nats(self) -> float:
        """Return the evidence that more fail than may: the natural logarithm of the ratio, divided by the dispersion.

        Below 0 the requests speak for a share up to the limit. A limit of 0 is broken by one failure for certain, one
        of 1 by nothing.
        """
        if self.limit <= 0:
            return math.inf if self.failed else 0.0
        if self.limit >= 1:
            return 0.0
        found = _mixed(self.requests, self.failed, self.limit)
        return found / self.dispersion if found > 0 else found

    @property
    def dispersion(self) -> float:
        """Return how much more the failures differ from block to block than chance makes them, at least 1."""
        return max(self.least_dispersion, *(blocks.dispersion for blocks in self._blocks))

    def enough(self, alpha: float) -> bool:
        """Return whether more fail than may. It is so by mistake, at any look, with at most the probability `alpha`."""
        one_burst = self.looks_with_failures < self.fewest_looks and self.limit > 0
        return not one_burst and self.nats >= -math.log(alpha)


@dataclass
class Detector:
    """Tells that too many fail: from the first look on, or since some later moment.

    What was good for long would weigh against what turns bad now. So a second evidence begins anew whenever the
    requests since its own beginning have spoken for the limit. Each beginning has its share of the error: the n-th one
    6 / (pi n)^2 of it, which adds up to 1 (as in Page's CUSUM, but with a bound on the whole time). Bursts that were
    seen before weigh as little now.
    """

    limit: float
    whole: Evidence = field(init=False)
    recent: Evidence = field(init=False)
    beginnings: int = 1

    def __post_init__(self) -> None:
        self.whole, self.recent = Evidence(self.limit), self._anew(1.0)

    def add(self, requests: int, failed: int) -> None:
        """Take what came since the last look, as Evidence does."""
        if self.recent.nats < ANEW:
            self.recent = self._anew(self.whole.dispersion)
            self.beginnings += 1
        self.whole.add(requests, failed)
        self.recent.add(requests, failed)

    def _anew(self, dispersion: float) -> Evidence:
        return Evidence(self.limit, fewest_looks=FEWEST_LATER, least_dispersion=dispersion)

    def enough(self, alpha: float) -> bool:
        """Return whether more fail than may, or do by now; by mistake with at most the probability `alpha`."""
        share = 6 / (math.pi * self.beginnings) ** 2
        return self.whole.enough(WHOLE * alpha) or self.recent.enough((1 - WHOLE) * alpha * share)


def _mixed(requests: int, failed: int, limit: float) -> float:
    """Return the logarithm of how much likelier the alternatives make what was seen: their weighted mean."""
    good = requests - failed
    shares = (min(times * limit, (1 + limit) / 2) for times in ALTERNATIVES)
    logs = [failed * math.log(share / limit) + good * math.log((1 - share) / (1 - limit)) for share in shares]
    most = max(logs)
    weighted = zip(ALTERNATIVES.values(), logs, strict=True)
    return most + math.log(math.fsum(weight * math.exp(one - most) for weight, one in weighted))


def requests_to_see(share: float, limit: float, alpha: float) -> float:
    """Return about how many requests it takes until a share of failures above the limit is seen (both within 0 and 1).

    It is Wald's approximation, with what the mixture costs at most; infinite for a share up to the limit.
    """
    if not limit < share < 1 or limit <= 0:
        return math.inf
    information = share * math.log(share / limit) + (1 - share) * math.log((1 - share) / (1 - limit))
    return (-math.log(min(ALTERNATIVES.values())) - math.log(alpha)) / information
