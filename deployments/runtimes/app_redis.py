"""The app's Redis of the runtime `process`, which exists without us: told to the app, and asked before a release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployments.place import Place
from gates.databases.redis_url import RedisServer, read_redis, redis_notes, redis_problems
from host.databases import external_redis
from host.errors import ConfigError, SlipwayError
from host.sandbox.places import is_for_all, withheld
from settings.redis import VARIABLE

WAY_OUT = "reach the server by TCP instead of a socket there, and keep certificates below /etc/ssl or /usr/local/share"


@dataclass(frozen=True)
class AppRedis:
    """What REDIS_URL of an environment names, if it names anything."""

    place: Place

    @property
    def server(self) -> RedisServer | None:
        """Return where it is. Raises ConfigError, which names the key and repeats nothing of the URL."""
        reference = self.place.settings.redis_url
        if not reference:
            return None
        try:
            return read_redis(self.place.resolved(VARIABLE, reference))
        except ValueError as error:
            raise ConfigError(f"config/{self.place.name}.env: {VARIABLE}: {error}") from None

    @property
    def read_only(self) -> tuple[Path, ...]:
        """Return what of the host the app must see for it: its socket's directory, the authorities' certificates."""
        if not (server := self.server):
            return ()
        authority = dict(server.options).get("ssl_ca_certs")
        seen = [Path(server.host).parent] if server.socket else []
        return (*seen, *([Path(authority)] if authority and not is_for_all(Path(authority)) else []))

    def variables(self) -> Mapping[str, str]:
        """Return what the app is told of it, by variable. Secret."""
        server = self.server
        return {VARIABLE: server.url} if server else {}

    def secrets(self) -> Sequence[str]:
        """Return what of it must not appear in what we print."""
        server = self.server
        return [server.password] if server and server.password else []

    def problems(self) -> list[str]:
        """Return what keeps it from serving a release."""
        try:
            if not (server := self.server):
                return []
            if hidden := withheld(self.read_only):
                return [f"Redis: {hidden}; {WAY_OUT}"]
            return [
                f"the external Redis at {server.shown}: {one}" for one in redis_problems(external_redis.look(server))
            ]
        except SlipwayError as error:
            return [str(error)]

    def notes(self) -> list[str]:
        """Return what a person who approves should know of it."""
        try:
            server = self.server
            return redis_notes(server, external_redis.look(server)) if server else []
        except SlipwayError:
            return []  # a problem, and told as one
