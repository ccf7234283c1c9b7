"""One environment on this host, whole: its place, its router's front and what runs its slots."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from deployments.front import Front
from deployments.place import Place
from deployments.runtimes import Runtime
from host.errors import ConfigError
from settings.environment import Settings, read_settings
from settings.targets import Target

if TYPE_CHECKING:
    from deployments.runtimes.compose.runtime import ComposeRuntime
    from deployments.runtimes.process import ProcessRuntime


def _process() -> "type[ProcessRuntime]":
    from deployments.runtimes.process import ProcessRuntime

    return ProcessRuntime


def _compose() -> "type[ComposeRuntime]":
    from deployments.runtimes.compose.runtime import ComposeRuntime

    return ComposeRuntime


# By the value of RUNTIME. Only the one that an environment has is imported: a rollback begins sooner.
RUNTIMES: "Mapping[str, Callable[[], type[ProcessRuntime] | type[ComposeRuntime]]]" = {
    "process": _process,
    "compose": _compose,
}


def runs_images(settings: Settings) -> bool:
    """Say whether an environment that is set so runs the images of artifacts, on an engine."""
    return RUNTIMES[settings.runtime]().runs_images


def images_run() -> bool:
    """Say whether any environment runs images. Raises ConfigError if one's file cannot be read."""
    return any(runs_images(read_settings(target)) for target in Target.all())


class Environment(Place):
    """A place with its front and its runtime. Opening one changes nothing."""

    @cached_property
    def front(self) -> Front:
        return Front(self)

    @cached_property
    def runtime(self) -> Runtime:
        return RUNTIMES[self.settings.runtime]()(self)

    def up(self) -> None:
        """Start supervisor, database and router, and with them the slots that were running. Safe to repeat.

        Raises ConfigError when a stranger has the public port.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self.runtime.prepare()
        self.router.prepare()
        was_up = self.supervisor.answers()
        self.supervisor.up()  # first: it ends what a killed supervisor left, and that may be on our port
        try:
            self.front.refuse_taken_ports()
            self.front.up()
        except ConfigError:
            if not was_up:
                self.supervisor.down()
            raise
        self.runtime.up(self.ledger())
        self.front.wait()
