"""The secrets that containers mount: files of a 0700 directory on this host, and nothing in the compose files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deployments.place import Place
from host.errors import ConfigError
from host.files import write_atomically


@dataclass(frozen=True)
class Secrets:
    """One environment's: the compose file's secret `session_secret` is the setting SECRET_SESSION_SECRET."""

    place: Place
    directory: Path

    def paths(self, names: Iterable[str]) -> dict[str, str]:
        """Return where containers get each secret from."""
        return {name: str(self.directory / name) for name in names}

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return which secrets that a compose file mounts config/<environment>.env does not set, with the way out."""
        return [
            f"config/{self.place.name}.env: the compose file mounts the secret {name}; set SECRET_{name.upper()} to "
            "generated, file:PATH, env:NAME or template:TEXT"
            for name in names
            if name.upper() not in self.place.settings.secrets
        ]

    def absent(self) -> list[str]:
        """Return which SECRET_ settings lead to nothing now: no such file or variable. Makes none."""
        found = []
        for name, reference in self.place.settings.secrets.items():
            if not reference.startswith(("generated", "template:")):
                try:
                    self.place.app_secret(name, reference)
                except ConfigError as error:
                    found.append(str(error))
        return found

    def write(self, names: Iterable[str]) -> None:
        """Write secrets. Any user may read the files, as containers do, but not the directory above: it is 0700.

        ConfigError: one that config/<environment>.env does not set.
        """
        if missing := self.missing(names):
            raise ConfigError("; ".join(missing))
        for name in names:
            file = self.directory / name
            value = self.place.app_secret(name.upper(), self.place.settings.secrets[name.upper()])
            if not value:
                raise ConfigError(f"config/{self.place.name}.env: SECRET_{name.upper()}: got nothing, expected a value")
            if not file.exists() or file.read_text(encoding="utf-8") != value:
                write_atomically(file, value.encode(), mode=0o444)

    def environment(self) -> dict[str, str]:
        """Return every secret by name, for the compose command: a file may refer to it as ${NAME}."""
        return {name: self.place.app_secret(name, ref) for name, ref in self.place.settings.secrets.items()}
