"""`make mutants`: what the tests do not notice. Code that decides is changed in a copy, one small change at a time.

    python -m benchmarks.mutants --sample 40 --seed 7
    python -m benchmarks.mutants --only gates/release/approval.py 'evidence/*.py'

A mutant is killed when a test fails that can see it, or when these tests take far longer than without it. One that
survives shows a line that may be wrong without anyone noticing. The same seed draws the same mutants of the same files.
"""

import argparse
import os
import signal
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.table import Table

from benchmarks.copies import copies, tracked
from benchmarks.importers import Importers
from benchmarks.mutations import Mutant, Place, mutants, places, sample
from benchmarks.trials import KILLED, SURVIVED, Fate, Outcome, Trials
from cli.screen import console, fail, say
from host.errors import ConfigError, SlipwayError
from host.home import CHECKOUT

# What is mutated: code that decides. `*` matches folders too. A pattern that matches no file is refused: files move.
TARGETS = (
    "gates/*.py",
    "evidence/*.py",
    "deployments/bake.py",
    "deployments/runtimes/compose/contain.py",
    "deployments/runtimes/compose/files.py",
    "deployments/runtimes/compose/judge.py",
    "deployments/runtimes/compose/model.py",
    "deployments/fitness.py",
    "deployments/journal/entries.py",
    "deployments/journal/journal.py",
    "deployments/candidate.py",
    "deployments/journal/cache.py",
    "deployments/journal/endpoints.py",
    "deployments/journal/lease.py",
    "deployments/journal/ledger.py",
    "deployments/preflight.py",
    "deployments/recovery.py",
    "deployments/rollback.py",
    "deployments/rollout.py",
    "deployments/slots.py",
)
EXPLAINED = "benchmarks/mutants_explained.toml"
SAMPLE, SEED, LEAST = 200, 1, 92.0


class Explained(BaseModel):
    """A survivor that changes nothing anyone can see, and why. The lines are as they are printed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    file: str
    line: str
    mutated: str
    because: str = Field(min_length=1)

    def tells_of(self, mutant: Mutant) -> bool:
        """Return whether it is this mutant that is explained."""
        return (self.file, self.line, self.mutated) == (mutant.file, mutant.before, mutant.after)


class _ExplainedFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    mutant: list[Explained] = []


def choose(files: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the Python files that match; raises ConfigError for a pattern that matches none."""
    chosen: set[str] = set()
    for pattern in patterns:
        matches = {file for file in files if fnmatchcase(file, pattern)}
        if not matches:
            raise ConfigError(f"{pattern}: matches no Python file of this tree; name where the files are now")
        chosen |= matches
    return sorted(chosen)


def read_explained(path: Path) -> list[Explained]:
    """Return the explained mutants, none when there is no such file; raises ConfigError."""
    try:
        return _ExplainedFile.model_validate(tomllib.loads(path.read_text())).mutant
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


def outdated(explained: Sequence[Explained], sources: Mapping[str, str]) -> Iterator[Explained]:
    """Yield the entries that explain no mutant of these sources any more."""
    for entry in explained:
        source = sources.get(entry.file, "")
        texts, lines = source.splitlines(), entry.line.splitlines()
        near = (place for place in places(entry.file, source) if _touches(place, texts, lines))
        if not any(entry.tells_of(mutant) for place in near for mutant in mutants(place)):
            yield entry


def _touches(place: Place, texts: Sequence[str], lines: Sequence[str]) -> bool:
    """Return whether a place stands in any of these lines of its file's texts; the others need not be tried."""
    first, _, last, _ = place.span
    return any(text.strip() in lines for text in texts[first - 1 : last])


def score(outcomes: Sequence[Outcome]) -> float | None:
    """Return the percentage killed of those that were killed or survived; None when there are none."""
    killed = sum(outcome.fate in KILLED for outcome in outcomes)
    survived = sum(outcome.fate in SURVIVED for outcome in outcomes)
    return 100 * killed / (killed + survived) if killed + survived else None


def in_words(outcomes: Sequence[Outcome]) -> str:
    """Return the score in words, with its counts."""
    percent = score(outcomes)
    counts = ", ".join(
        f"{count} {fate}" for fate in Fate if (count := sum(outcome.fate is fate for outcome in outcomes))
    )
    return f"{'none judged' if percent is None else f'{percent:.1f} % killed'} ({counts or 'no mutants'})"


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """Return a row for each module, the least killed first."""
    table = Table(title="Mutants", title_justify="left")
    table.add_column("module")
    for heading in ("mutants", "killed", "of these by timeout", "survived", "explained", "% killed"):
        table.add_column(heading, justify="right")
    by_file: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.mutant.file):
        by_file.setdefault(outcome.mutant.file, []).append(outcome)
    for file, here in sorted(by_file.items(), key=lambda row: (score(row[1]) is None, score(row[1]))):
        fates = [outcome.fate for outcome in here]
        killed, survived = (sum(fate in among for fate in fates) for among in (KILLED, SURVIVED))
        percent = score(here)
        counts = (len(fates), killed, fates.count(Fate.TIMEOUT), survived, fates.count(Fate.EXPLAINED))
        table.add_row(file, *map(str, counts), "" if percent is None else f"{percent:.0f}")
    return table


def _tell(outcome: Outcome, number: int, count: int) -> None:
    mutant = outcome.mutant
    say(f"{number}/{count} {outcome.fate} {mutant.file}:{mutant.line}")
    for sign, lines in (("-", mutant.before), ("+", mutant.after)):
        for line in lines.splitlines():
            say(f"    {sign} {line}")


def run(root: Path, options: argparse.Namespace) -> list[Outcome]:
    """Draw the mutants of a tree and try them; raises ConfigError, and ToolError when the tests are red without any."""
    files = tracked(root)
    sources = {file: (root / file).read_text() for file in files if file.endswith(".py")}
    chosen = choose(list(sources), options.only or TARGETS)
    explained = read_explained(root / EXPLAINED)
    for entry in outdated(explained, sources):
        fail(f"{EXPLAINED}: no mutant any more of {entry.file}: {entry.line!r} -> {entry.mutated!r}; take it out")
    found = [place for file in chosen for place in places(file, sources[file])]
    drawn = sample(found, options.sample, options.seed)
    if not drawn:
        raise ConfigError(f"{', '.join(options.only or TARGETS)}: nothing to mutate there")
    say(f"{len(drawn)} mutants of {len(found)} places in {len(chosen)} files, seed {options.seed}")
    outcomes = [Outcome(mutant, Fate.EXPLAINED) for mutant in drawn if _is_explained(mutant, explained)]
    tried = [mutant for mutant in drawn if not _is_explained(mutant, explained)]
    for outcome in list(outcomes):
        _tell(outcome, outcomes.index(outcome) + 1, len(drawn))
    with copies(root, files, options.jobs) as (available, stop):
        trials = Trials(available, stop, Importers(sources).tests_of)
        say("the tests that can see them, without any mutant ...")
        trials.run_unmutated(sorted({mutant.file for mutant in tried}), tell=say)
        for outcome in trials.run(tried):
            outcomes.append(outcome)
            _tell(outcome, len(outcomes), len(drawn))
    return outcomes


def _is_explained(mutant: Mutant, explained: Sequence[Explained]) -> bool:
    return any(entry.tells_of(mutant) for entry in explained)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"got {number}, expected at least 1")
    return number


def read_options(argv: Sequence[str]) -> argparse.Namespace:
    """Return what the command line says; ends the program with 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description="What the tests do not notice.")
    parser.add_argument("--sample", type=_positive, default=SAMPLE, help=f"how many mutants, by default {SAMPLE}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"which ones, by default {SEED}")
    jobs = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=_positive, default=jobs, help="how many side by side, by default one a CPU")
    parser.add_argument("--only", nargs="+", metavar="PATTERN", help="files instead of all that are meant for it")
    parser.add_argument("--least", type=float, default=LEAST, help=f"percentage to be killed, by default {LEAST:.0f}")
    return parser.parse_args(argv)


def main(argv: Sequence[str], root: Path = CHECKOUT) -> int:
    """Run it, print each mutant, the table and the score; 0 when enough are killed, 1 when not, 2 when it could not."""
    options = read_options(argv)
    # Ended by others it also stops what it started, and removes the copies. A shell starts what is to run in the
    # background with SIGINT ignored.
    before = {sign: signal.signal(sign, signal.default_int_handler) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        outcomes = run(root, options)
    except SlipwayError as error:
        fail(f"{type(error).__name__}: {error}")
        return 2
    except KeyboardInterrupt:
        fail("interrupted; what was started is stopped")
        return 130
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
    console.print(table_of(outcomes))
    say(in_words(outcomes))
    percent = score(outcomes)
    if percent is not None and percent < options.least:
        fail(f"{percent:.1f} % killed, expected at least {options.least:g} %; see the survivors above")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
