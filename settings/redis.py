"""The key of an environment's file that names the app's Redis."""

from collections.abc import Container

from pydantic import BaseModel, ConfigDict

from settings.database import GIVES_A_DATABASE

# The app's variable that the key gives, too.
VARIABLE = "REDIS_URL"


class RedisSettings(BaseModel):
    """Where the app's Redis is, if it has one that exists without us."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    redis_url: str = ""
    """`process`: a reference (`file:PATH`, `env:VARIABLE` or `template:TEXT`, as for `SECRET_<NAME>`) to the URL of an
    existing Redis, which a release asks first and the app is told as `REDIS_URL`: `redis://USER:PASSWORD@HOST:PORT/0`,
    `rediss://...` with TLS, or `unix://USER:PASSWORD@/SOCKET?db=0`. Empty: the app has none, or its own settings name
    it.
    """

    def redis_problem(self, *, runtime: str, app: Container[str], secrets: Container[str]) -> str:
        """Return what of this key does not go with the rest of the file; "" when all does. `app` and `secrets` are the
        variables that its settings give the app.
        """
        if not self.redis_url:
            return ""
        if runtime not in GIVES_A_DATABASE:
            return f"{VARIABLE} is for RUNTIME=process; with {runtime} give it as SECRET_{VARIABLE}"
        for prefix, names in (("APP", app), ("SECRET", secrets)):
            if VARIABLE in names:
                return f"{VARIABLE} and {prefix}_{VARIABLE} both say the app's {VARIABLE}; keep one"
        return ""
