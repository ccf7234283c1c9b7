"""Get an environment's certificate from an ACME authority, and renew it: by certbot, in an environment of its own.

certbot decides whether it is time to renew (RFC 9773, else a third of the certificate's life). It is asked twice a day,
and at once while there is no certificate for all the names; after a failure later and later, for authorities count
failures (Let's Encrypt: 5 an hour for a name). What it gets lies in `environments/<environment>/acme`; the router takes
it up as it does files of the user's own (deployments/front.py).
"""

import hashlib
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deployments.place import Place
from gates.release.certificates import acme_reason
from host.errors import ConfigError, ToolError
from host.files import locked, write_atomically
from host.home import CHECKOUT
from host.package_tools import PROXIES

NAME = "slipway"
EVERY = timedelta(hours=12)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=10), timedelta(hours=6)
# certbot waits for the authority, and a hook of the user's waits for the DNS: no time that a busy host can miss.
TIMEOUT_S = 3600.0
CERTBOT = "import sys; from certbot.main import main; sys.exit(main())"
ANSWER = "deployments.router.answer_challenge"


class Tried(BaseModel):
    """The last try. `error` is "" when it went well; `failures` counts those since one did. Times are aware UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    names: tuple[str, ...]
    failures: int = 0
    error: str = ""

    @property
    def next(self) -> datetime:
        """Return when to try again."""
        if not self.failures:
            return self.at + EVERY
        return self.at + min(FIRST_PAUSE * (1 << min(self.failures - 1, 16)), LONGEST_PAUSE)


@dataclass(frozen=True)
class Acme:
    """What one environment has of an authority. Making one changes nothing."""

    place: Place

    @property
    def directory(self) -> Path:
        """Return where it lies: another authority's account and certificates lie apart."""
        authority = hashlib.sha256(self.place.settings.acme_directory.encode()).hexdigest()[:12]
        return self.place.directory / "acme" / authority

    @property
    def certificate(self) -> Path:
        return self.directory / "live" / NAME / "fullchain.pem"

    @property
    def key(self) -> Path:
        return self.directory / "live" / NAME / "privkey.pem"

    def tried(self) -> Tried | None:
        """Return the last try, None before the first one. One that cannot be read is as none."""
        try:
            return Tried.model_validate_json((self.directory / "tried.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def due(self, now: datetime) -> bool:
        """Return whether certbot is to be asked: the time is there, or the names are others than at the last try."""
        last = self.tried()
        return last is None or last.names != self.place.settings.domains or now >= last.next

    def obtain(self, python: Path) -> None:
        """Have certbot get or renew the certificate, if that is due; `python` is that of its environment.

        Safe to repeat. Raises ToolError with what the authority said; it is kept, with when to try again.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.directory / "lock"):
            before = self.tried()
            try:
                self._run(python)
            except ToolError as error:
                failures = before.failures + 1 if before and before.names == self.place.settings.domains else 1
                self._keep(failures, str(error))
                raise
            self._keep(0, "")

    def _keep(self, failures: int, error: str) -> None:
        names = self.place.settings.domains
        tried = Tried(at=datetime.now(UTC), names=names, failures=failures, error=error)
        write_atomically(self.directory / "tried.json", tried.model_dump_json().encode())

    def _run(self, python: Path) -> None:
        settings = self.place.settings
        hook = Path(settings.acme_dns_hook)
        if settings.acme_dns_hook and not (hook.is_file() and os.access(hook, os.X_OK)):
            raise ToolError(f"ACME_DNS_HOOK: {hook} is no program that this user may run")
        env = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
        env |= {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        if settings.acme_authorities:
            env["REQUESTS_CA_BUNDLE"] = settings.acme_authorities
        argv = [str(python), "-I", "-c", CERTBOT, *self.arguments()]
        try:
            done = subprocess.run(
                argv,
                cwd=CHECKOUT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ToolError(f"certbot could not be run: {error}") from error
        if done.returncode:
            said = acme_reason(done.stdout.decode(errors="replace"))
            raise ToolError(f"no certificate for {', '.join(settings.domains)}: {said}")

    def arguments(self) -> list[str]:
        """Return certbot's arguments: get it if there is none for all the names, renew it if that is due."""
        settings = self.place.settings
        words = ["certonly", "--non-interactive", "--agree-tos", "--server", settings.acme_directory]
        for name, folder in {"config": ".", "work": "work", "logs": "logs"}.items():
            words += [f"--{name}-dir", str(self.directory / folder)]
        words += ["--email", settings.acme_email] if settings.acme_email else ["--register-unsafely-without-email"]
        words += ["--cert-name", NAME, "--keep-until-expiring", "--renew-with-new-domains", "--manual"]
        words += ["--preferred-challenges", "dns" if settings.acme_dns_hook else "http"]
        for option, what in {"auth": "present", "cleanup": "cleanup"}.items():
            words += [f"--manual-{option}-hook", shlex.join(self._hook(what))]
        return [*words, *(word for name in settings.domains for word in ("--domain", name))]

    def _hook(self, what: str) -> list[str]:
        if hook := self.place.settings.acme_dns_hook:
            return [hook, what]
        router, sockets = self.place.router, self.place.sockets
        where = (str(router.directory), str(sockets), str(router.uid), str(router.edge.port))
        return [sys.executable, "-m", ANSWER, what, *where]

    def missing(self) -> ConfigError:
        """Return why there is nothing to serve yet."""
        names, last = ", ".join(self.place.settings.domains), self.tried()
        if last is None or not last.error:
            return ConfigError(f"no certificate for {names} yet: watch is to get it from an ACME authority")
        return ConfigError(f"{last.error}; next try at {last.next:%Y-%m-%d %H:%M} UTC")
