"""What compose and the engine of this host say of an app's compose file: asked before anything is built or released."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from deployments.environment import Environment
from gates.adopt.readiness import Outcome, Row
from host.errors import SlipwayError
from host.home import Home
from settings.pipeline import read_pipeline
from settings.targets import Target

OK = "compose reads it and the files that would run; nobody has their ports, names, volumes and networks"


def compose_rows(config: Path, repository: Path, environments: Sequence[str]) -> list[Row]:
    """Return what is in the way of an app's compose file in environments of a config/; the same of several is one row.

    `repository` is the checkout, else the branch that the config names is fetched. Starts nothing.
    """
    told: dict[tuple[Outcome, str], list[str]] = {}
    for name in environments:
        for row in _asked(config, repository, name):
            told.setdefault(row, []).append(name)
    return [Row("compose", outcome, f"{', '.join(names)}: {why}") for (outcome, why), names in told.items()]


def _asked(config: Path, repository: Path, name: str) -> Iterator[tuple[Outcome, str]]:
    from cli.compose_tree import lay_out, look_at_tree  # Prefect comes with them, which takes a second

    try:
        pipeline = read_pipeline(config / "pipeline.toml")
        place = Environment.open(Target(name), pipeline.app.name, Home.find(), config)
        with tempfile.TemporaryDirectory(prefix="slipway-tree-") as folder:
            checkout = repository if (repository / ".git").exists() else None
            tree, _ = lay_out(pipeline, place, checkout, Path(folder))
            looked = look_at_tree(pipeline, place, tree, Path(folder))
    except (SlipwayError, ValueError) as error:  # ValueError: an environment that this installation does not have
        yield Outcome.UNKNOWN, f"nobody could look: {error}"
        return
    yield from ((Outcome.BLOCKS, why) for why in looked.problems)
    yield from ((Outcome.UNKNOWN, why) for why in looked.unseen)
    if not (looked.problems or looked.unseen):
        yield Outcome.OK, OK
