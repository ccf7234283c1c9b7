"""The section [health] of config/pipeline.toml. An artifact has it as part of how it runs (evidence/bundle.py)."""

from typing import Any

from pydantic import Field

from gates.release.health_rules import HealthRules, UrlPath


class Health(HealthRules):
    """Where the app's health is asked, how, and what its answers mean: at the start of a slot, before and after the
    switch, while a version is watched, in the checks that start the app, and by `watch`.
    """

    paths: tuple[UrlPath, ...] = Field((), min_length=1)
    """Paths that must answer 2xx, the most telling one first. Without it: `run.health`."""


def with_health(raw: Any) -> Any:
    """Return the tables of a pipeline.toml with [health] said in [run] as well.

    Raises ValueError if both have the paths, or [run] has what only [health] may say.
    """
    run, health = (raw.get(key) if isinstance(raw, dict) else None for key in ("run", "health"))
    if isinstance(run, dict) and "rules" in run:
        raise ValueError("run.rules is no key; how health is asked and read stands in [health]")
    if not isinstance(run, dict) or not isinstance(health, dict):
        return raw
    if "health" in run and health.get("paths"):
        raise ValueError("the health paths stand in run.health and in health.paths: leave out run.health")
    rules = {key: value for key, value in health.items() if key in HealthRules.model_fields}
    paths = {"health": health["paths"]} if health.get("paths") else {}
    return {**raw, "run": {**run, **paths, "rules": rules}}
