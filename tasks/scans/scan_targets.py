"""What a security run looks at: what is live in each environment, and the newest commit."""

from dataclasses import dataclass

from prefect.logging import get_run_logger

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from host.errors import SlipwayError
from host.home import Home
from notify.prefect_dashboard import variable_name
from settings.hosts import targets
from settings.pipeline import Pipeline
from settings.targets import Target
from tasks.retries import repeatable
from tasks.source.git import mirror, resolve


@dataclass(frozen=True)
class ScanTarget:
    """One commit to scan. `live` maps the environments that serve it to their artifact's digest; `newest` says whether
    it is the newest of the configured branch.
    """

    commit: str
    live: dict[str, str]
    titles: tuple[str, ...] = ()
    newest: bool = False

    @property
    def title(self) -> str:
        """Return why it is scanned, for a headline."""
        return ", ".join((*(f"live in {name}" for name in self.live), *self.titles)) or self.commit[:12]


def _elsewhere(target: Target, live: dict[str, dict[str, str]]) -> list[str]:
    """Add what another host's `watch` last told Prefect of its environment; return why that is not known."""
    try:
        variable = PrefectApi.of_run(Home.find()).call("GET", f"/variables/name/{variable_name(target.value)}")
    except SlipwayError as error:
        return [f"{target.value}, on another host: {error}"]
    if variable is None:
        return [f"{target.value}, on another host: its watch has never told what is live there"]
    value = variable["value"]
    if value["commit"]:
        live.setdefault(value["commit"], {})[target.value] = value["digest"]
    return []


@repeatable("targets")
def nightly_targets(pipeline: Pipeline) -> tuple[list[ScanTarget], list[str]]:
    """Return each distinct commit that is live here or the newest of the configured branch, and what could not be found
    out. Only reads.
    """
    home = Home.find()
    live: dict[str, dict[str, str]] = {}
    problems = []
    for target in Target.all():
        if target not in targets():
            problems += _elsewhere(target, live)
            continue
        if not home.place(target.value).is_dir():
            continue
        try:
            serving = Environment.open(target, pipeline.app.name, home).ledger().live
        except SlipwayError as error:
            problems.append(f"{target.value}: {error}")
            continue
        if serving:
            live.setdefault(serving.version.commit, {})[target.value] = serving.version.digest
    newest = ""
    try:
        newest = resolve(mirror(pipeline.app, home), f"refs/heads/{pipeline.app.branch}")
        live.setdefault(newest, {})
    except SlipwayError as error:
        problems.append(f"{pipeline.app.branch}: {error}")
    commits = [
        ScanTarget(commit, where, (f"newest of {pipeline.app.branch}",) if commit == newest else (), commit == newest)
        for commit, where in live.items()
    ]
    get_run_logger().info("%d commits to scan: %s", len(commits), "; ".join(commit.title for commit in commits))
    return commits, problems
