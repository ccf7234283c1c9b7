"""`--runtime`, `--server`: the choice of processes or containers for environments and for the Prefect server."""

import os
from collections.abc import Iterable, Sequence

from cli.busy import refuse_when_busy
from cli.setup import write_env
from control.plane import PREFECT_RUNTIME
from deployments.environment import RUNTIMES
from host.errors import ConfigError
from host.home import Home
from settings.targets import Target

SERVERS = ("process", "compose")


def choose_runtime(home: Home, runtime: str | None) -> None:
    """Write the choice into this home's .env, which overrides config/*.env; None leaves it as it is. Safe to repeat."""
    if runtime is not None:
        _choose(home, runtime, "RUNTIME", RUNTIMES, [target.variable("RUNTIME") for target in Target.all()])


def choose_server(home: Home, runtime: str | None) -> None:
    """Write how the Prefect server runs into this home's .env; None leaves it as it is. Safe to repeat.

    Raises LeaseHeld if a release or a question is open: its run is in the history of the present server.
    """
    if runtime is not None and os.environ.get(PREFECT_RUNTIME, "process") != runtime:
        refuse_when_busy(home)
    if runtime is not None:
        _choose(home, runtime, "SERVER", SERVERS, [PREFECT_RUNTIME])


def _choose(home: Home, runtime: str, what: str, known: Iterable[str], names: Sequence[str]) -> None:
    if runtime not in known:
        raise ConfigError(f'{what}: got "{runtime}", expected one of: {", ".join(known)}')
    chosen = dict.fromkeys(names, runtime)
    home.create()
    write_env(home.env_file, chosen)
    os.environ.update(chosen)
