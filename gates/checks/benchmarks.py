"""Micro-benchmarks of pytest-benchmark: each median against the base version's, measured in turn in the same run."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from gates.check import Bound, Check, Measure, Outcome
from gates.checks.pairs import Compared, Finding

NAME = "benchmarks"


class Paired(BaseModel):
    """What the pairs told of each benchmark that both versions have, by name. `ended`: why no more pairs were added."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    compared: Mapping[str, Compared]
    only_base: tuple[str, ...] = ()
    only_candidate: tuple[str, ...] = ()
    ended: str = ""

    @property
    def conclusive(self) -> bool:
        """Return whether every benchmark was decided: only then is the result worth remembering."""
        return bool(self.compared) and all(one.finding is not Finding.UNDECIDED for one in self.compared.values())


def judge_benchmarks(found: Paired, max_percent: float) -> Check:
    """Return the check. It fails for what is slower for certain; what cannot be told is a note.

    When nothing was decided it is `not applicable`: not a pass, and no block.
    """
    if not found.compared:
        why = f"{found.base} has none of these benchmarks" if found.only_candidate else f"inconclusive: {found.ended}"
        return not_compared(why).model_copy(update={"notes": tuple(_notes(found, max_percent))})
    by = {finding: [key for key, one in found.compared.items() if one.finding is finding] for finding in Finding}
    slower, decided = by[Finding.SLOWER], [*by[Finding.SLOWER], *by[Finding.WITHIN]]
    told = [f"{key}: {found.compared[key].told(found.base)}" for key in slower]
    counts = [f"{len(decided)} of {len(found.compared)} compared with {found.base}"]
    counts += [f"{len(by[Finding.UNDECIDED])} inconclusive"] if by[Finding.UNDECIDED] else []
    good = Outcome.PASSED if decided else Outcome.NOT_APPLICABLE
    return Check(
        name=NAME,
        outcome=Outcome.FAILED if slower else good,
        reason=f"{'; '.join(told)}; allowed are {max_percent:g} % more" if slower else ", ".join(counts),
        examined=f"{len(found.compared)} benchmarks",
        tool="pytest-benchmark",
        measures=tuple(_measure(key, found.compared[key], max_percent) for key in sorted(decided)),
        notes=tuple(_notes(found, max_percent)),
    )


def not_compared(reason: str) -> Check:
    """Return the check of benchmarks that nothing could be held against: not a pass, and no block."""
    return Check(name=NAME, outcome=Outcome.NOT_APPLICABLE, reason=reason, tool="pytest-benchmark")


def _measure(key: str, one: Compared, max_percent: float) -> Measure:
    change = None if one.ratio is None else 100 * (one.ratio - 1)
    return Measure(name=key, value=change, bound=Bound.AT_MOST, limit=max_percent, unit=" %")


def _notes(found: Paired, max_percent: float) -> list[str]:
    notes = []
    for key, one in sorted(found.compared.items()):
        if one.finding is Finding.UNDECIDED:
            why = f"that does not tell it from {max_percent:g} % more; {found.ended}"
            notes.append(f"{key}: inconclusive: {one.told(found.base)}: {why}")
        else:
            notes.append(f"{key}: {one.told(found.base)}")
    notes += [f"{key}: {found.base} does not have it: nothing to compare with" for key in sorted(found.only_candidate)]
    return notes + [f"{key}: {found.base} has it, this commit does not" for key in sorted(found.only_base)]
