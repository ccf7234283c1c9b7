"""The commands of config/pipeline.toml: no shell runs them, so they may hold nothing that only a shell knows.

An artifact is not held to it: an old one runs as it did.
"""

from collections.abc import Iterable, Iterator, Sequence

from evidence.bundle import Command, Run
from gates.shell_syntax import shell_problem

CHECKS_CURE = 'write it as words, or have a shell do it: ["sh", "-c", "..."]'


def refuse_shell(run: Run) -> None:
    """Raises ValueError, which names the key and the cure."""
    for key, command in _commands(run):
        if problem := shell_problem(command):
            raise ValueError(f"run.{key}: {problem}")
    for name, process in run.processes.items():
        if any("{port}" in word for word in process.command):
            raise ValueError(f"run.processes.{name}.command: got {{port}}, which only the service (run.command) has")


def refuse_shell_in_checks(commands: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Raises ValueError for the first command of a check or a build step that needs a shell, by its key."""
    for key, command in commands:
        if problem := shell_problem(command, CHECKS_CURE):
            raise ValueError(f"{key}: {problem}")


def _commands(run: Run) -> Iterator[tuple[str, Command]]:
    named = {"command": run.command, "migrate": run.migrate, "smoke": run.smoke, "seed": run.seed}
    yield from ((key, command) for key, command in named.items() if command)
    yield from ((f"processes.{name}.command", process.command) for name, process in run.processes.items())
