"""A version against itself under random load, and against one that was made slower: a part of `make bench`.

    python -m benchmarks.pairs --same 10 --planted 2 --seed 7     fewer runs, or others

Each run is one whole comparison of the example, as `ci` makes it: of its micro-benchmarks, or of its load test. While
a version is held against itself, others use the machine for a few seconds, then leave off, as the seed says. What is
planted takes half as long again, and is looked for with nothing beside it.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from prefect.logging import disable_run_logger

from benchmarks.busy import busy
from cli.demo.story import make_repository, read_story
from control.plane import Control
from evidence.scopes import OURS
from gates.checks.pairs import Compared, Finding
from host.errors import ToolError
from host.git import git
from host.home import CHECKOUT, Home
from settings.pipeline import Pipeline, read_pipeline
from tasks.checks.benchmark_pairs import Comparing, Side
from tasks.load.pairs import OldVersion, compare_with_base
from tasks.source.dependencies import locked_environment
from tasks.source.git import Source
from tasks.source.workspace import Workspace

What = Literal["benchmarks", "load"]
SAME, PLANTED = 50, 10  # of either kind
# What is made half as slow again in a copy of the example: a file, what it gets at its end, the figure that must tell.
SLOWER_FUNCTION = """

def _half_as_slow_again(of):
    import time

    def slower(*arguments):
        began = time.perf_counter()
        found = of(*arguments)
        until = time.perf_counter() + (time.perf_counter() - began) / 2
        while time.perf_counter() < until:
            pass
        return found

    return slower


parse_task = _half_as_slow_again(parse_task)
"""
SLOWER_ENDPOINT = """

def _half_as_slow_again(of):
    import asyncio, time

    async def slower(scope, receive, send):
        began = time.perf_counter()

        async def late(message):
            if message["type"] == "http.response.start":
                await asyncio.sleep((time.perf_counter() - began) / 2)
            await send(message)

        chosen = scope.get("path") == "/api/tasks" and scope["method"] == "GET"
        await of(scope, receive, late if chosen else send)

    return slower


app = _half_as_slow_again(app)
"""
PLANTS: dict[What, tuple[str, str, str]] = {
    "benchmarks": ("assistant/parsing.py", SLOWER_FUNCTION, "test_parsing_a_line"),
    "load": ("assistant/main.py", SLOWER_ENDPOINT, "GET /api/tasks (median)"),
}
TYPICAL_S = 0.01  # of a request of the example


@dataclass(frozen=True)
class Run:
    """One comparison: what each figure came to, after how many seconds, with which load beside it."""

    what: What
    planted: bool
    seed: int
    found: dict[str, Compared]
    seconds: float

    @property
    def outcome(self) -> str:
        """Return "slower", "within" or "inconclusive": of the planted figure, else of all figures together."""
        findings = {name: one.finding for name, one in self.found.items()}
        if self.planted:
            findings = {name: one for name, one in findings.items() if PLANTS[self.what][2] in name}
        if not findings:
            raise ToolError(f"{self.what}, seed {self.seed}: nothing was compared")
        if Finding.SLOWER in findings.values():
            return "slower"
        return "within" if set(findings.values()) == {Finding.WITHIN} else "inconclusive"


@dataclass
class Figures:
    """All runs."""

    runs: list[Run] = field(default_factory=list)

    def counts(self, what: What, planted: bool) -> Counter[str]:
        """Return how many runs of a kind came to what."""
        return Counter(one.outcome for one in self.runs if (one.what, one.planted) == (what, planted))


def run(same: int = SAME, planted: int = PLANTED, seed: int = 1, tell: Callable[[str], None] = print) -> Figures:
    """Compare so many times, of either kind. Raises ToolError if a comparison could not be made."""
    figures = Figures()
    with _place() as place:
        for what in PLANTS:
            for number in range(same + planted):
                began, is_planted = time.monotonic(), number >= same
                with nullcontext() if is_planted else random_load(seed + number):
                    found = place.compare(what, is_planted)
                one = Run(what, is_planted, seed + number, found, time.monotonic() - began)
                figures.runs.append(one)
                kind = "planted" if is_planted else f"itself, load of seed {one.seed}"
                tell(f"{what} against {kind}: {one.outcome} after {one.seconds:.0f} s: {_told(one)}")
    return figures


def _told(one: Run) -> str:
    return "; ".join(f"{name.rpartition('::')[2]} {compared.told('v1')}" for name, compared in one.found.items())


@contextmanager
def random_load(seed: int) -> Iterator[None]:
    """Use the machine for some seconds, leave off for others, up to two processes a core, while the block runs."""
    chance, over = random.Random(seed), threading.Event()

    def use() -> None:
        while not over.is_set():
            with busy(chance.randrange(3)):
                over.wait(chance.uniform(1, 8))

    user = threading.Thread(target=use)
    user.start()
    try:
        yield
    finally:
        over.set()
        user.join()


@dataclass(frozen=True)
class _Place:
    """A home with the example in it, as it is and slowed down."""

    root: Path
    pipeline: Pipeline
    repository: Path
    environment: Path

    def compare(self, what: What, planted: bool) -> dict[str, Compared]:
        """Compare the example with itself, or with what was planted in it."""
        here = Path(tempfile.mkdtemp(dir=self.root))
        here.chmod(0o755)
        try:
            base = self._workspace(here / "base")
            candidate = self._workspace(here / "candidate", what if planted else None)
            return self._benchmarks(base, candidate) if what == "benchmarks" else self._load(base, candidate)
        finally:
            shutil.rmtree(here, ignore_errors=True)

    def _workspace(self, root: Path, planted: What | None = None) -> Workspace:
        copy = root / "repository"
        root.mkdir()
        git("clone", "-q", str(self.repository), str(copy), at=root)
        if planted:
            name, lines, _ = PLANTS[planted]
            with open(copy / name, "a", encoding="utf-8") as file:
                file.write(lines)
        git("add", "-A", at=copy)
        tree = git("write-tree", at=copy)
        archive = root / "source.tar"
        git("archive", "--format=tar", f"--output={archive}", tree, at=copy)
        return Workspace(root, Source(tree, root.name, "main", (), archive), self.environment)

    def _benchmarks(self, base: Workspace, candidate: Workspace) -> dict[str, Compared]:
        suite = next(one for one in self.pipeline.suites.values() if one.benchmarks)
        limits = self.pipeline.performance
        if limits is None:
            raise ToolError("config/pipeline.toml has no [performance]")
        sides = Side("v1", base), Side("the commit", candidate)
        percent = limits.max_benchmark_regression_percent
        found = Comparing(suite, *sides, percent, limits.compare_seconds, lambda words: None).run()
        return dict(found.compared)

    def _load(self, base: Workspace, candidate: Workspace) -> dict[str, Compared]:
        wanted, how = self.pipeline.performance, self.pipeline.run
        if wanted is None:
            raise ToolError("config/pipeline.toml has no [performance]")
        versus = compare_with_base(wanted, candidate, how, lambda: OldVersion("v1", how, base), TYPICAL_S)
        if versus.reason:
            raise ToolError(versus.reason)
        return {
            one.name: (
                one.compared.model_copy(update={"finding": Finding.WITHIN})
                if one.decided(versus.rules.floor_s) and one.compared.finding is Finding.UNDECIDED
                else one.compared
            )
            for one in versus.figures
        }


@contextmanager
def _place() -> Iterator[_Place]:
    before = os.environ.get("SLIPWAY_HOME")
    root = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    os.environ["SLIPWAY_HOME"] = str(root)
    control = Control(Home.find())
    try:
        Home.find().create()
        control.supervisor.up()
        repository = root / "demo" / "assistant"
        make_repository(read_story(CHECKOUT / "examples" / "story"), repository)
        git("checkout", "-q", "v1", at=repository)
        pipeline = read_pipeline()
        environment = locked_environment(repository / pipeline.locks.ci.file, pipeline.app.python, OURS)
        work = root / "comparisons"
        work.mkdir(mode=0o755)
        with disable_run_logger():
            yield _Place(work, pipeline, repository, environment)
    finally:
        control.supervisor.down()
        os.environ.pop("SLIPWAY_HOME")
        if before is not None:
            os.environ["SLIPWAY_HOME"] = before
        shutil.rmtree(root, ignore_errors=True)


def main(arguments: Sequence[str]) -> int:
    """Run and print the counts; 1 when a version was slower than itself, or something planted passed as within."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairs", description=__doc__.splitlines()[0])
    parser.add_argument("--same", type=int, default=SAME, help=f"comparisons with itself, of either kind ({SAME})")
    parser.add_argument("--planted", type=int, default=PLANTED, help=f"with what is slower, of either kind ({PLANTED})")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the load of the first; each further one has the next (1)"
    )
    asked = parser.parse_args(arguments)
    figures = run(asked.same, asked.planted, asked.seed, lambda words: print(words, flush=True))
    wrong = 0
    for what in PLANTS:
        same, planted = figures.counts(what, False), figures.counts(what, True)
        wrong += same["slower"] + planted["within"]
        print(f"{what}: against itself {dict(same)}, planted {dict(planted)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
