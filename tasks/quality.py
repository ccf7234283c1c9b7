"""The code-quality tools, in the app's environment and with the app's settings."""

import os
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments import sandbox
from deployments.home import Home
from deployments.pipeline import Tool
from gates.quality import ToolRun, judge_tool
from gates.requirements import Check
from tasks.source import give
from tasks.workspace import Workspace


@task(name="quality", task_run_name="{name}", cache_policy=NO_CACHE)
def run_quality(name: str, tool: Tool, workspace: Workspace) -> Check:
    """Run one tool on a copy of the commit and return its check. Safe to repeat."""
    source = workspace.check_directory(name)
    files = sum(1 for _ in source.rglob("*.py"))
    cache = _tool_cache(name, workspace)
    done = workspace.run(
        name,
        workspace.argv(tool.command),
        {"MYPY_CACHE_DIR": str(cache), "BLACK_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"},
        tool.timeout_seconds,
        writable=(cache,),
    )
    check = judge_tool(ToolRun(name, done.returncode, done.output, done.timed_out, files, round(done.seconds, 2)))
    get_run_logger().info("%s: %s: %s (%s)", name, check.outcome, check.reason, check.examined)
    return check


def _tool_cache(name: str, workspace: Workspace) -> Path:
    """Return the tool's own cache, kept by the app's environment. Only this tool's sandbox can write it."""
    directory = Home.find().cache / "tools" / workspace.environment.name / name
    if not directory.exists():
        directory.mkdir(parents=True)
        give(directory, sandbox.Sandbox(sandbox.available()).owner())
    os.chmod(directory, 0o700)
    return directory
