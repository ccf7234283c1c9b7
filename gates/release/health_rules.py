"""How an app's health is asked for, and what its words mean."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gates.release.condition import Condition

_PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4}"
HOST = rf"^([A-Za-z0-9]([A-Za-z0-9.-]{{0,251}}[A-Za-z0-9])?(:({_PORT}))?)?$"
Word = Annotated[str, Field(pattern=r"\S", max_length=40)]
# A path of a request: blanks and signs that control a line are percent-encoded in it.
UrlPath = Annotated[str, Field(pattern=r"^/([^/\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*)?$", max_length=2000)]


def _spelled(word: str) -> str:
    """Return a word in the one spelling in which words are compared: `Not_Ready.` is `not ready`."""
    return " ".join(re.split(r"[\s_-]+", word.strip().strip(".!").lower())).strip()


# What is in none of the three is a word that nobody explained: it does not mean well.
GOOD = frozenset(
    map(
        _spelled,
        "active alive available fine good green healthy it's_alive live normal ok okay online operational pass passed"
        " passing ready running serving success successful up working".split(),
    )
)
WARNING = frozenset({"degraded", "warn", "warning", "yellow"})
BAD = frozenset(
    map(
        _spelled,
        "bad broken critical dead disconnected down error fail failed failing failure fatal inactive maintenance none"
        " not_ok not_ready not_serving offline out_of_service outage red starting stopped stopping timeout unavailable"
        " unhealthy unknown unready".split(),
    )
)


class HealthRules(BaseModel):
    """How Slipway asks for the app's health, and reads what it answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=HOST)] = ""
    """The name in the Host header of these requests, for an app that answers to its own names only (Django's
    `ALLOWED_HOSTS`, Starlette's `TrustedHostMiddleware`). An environment's `HEALTH_HOST` counts before it. Empty: the
    address that is asked.
    """
    forwarded_proto: Literal["", "http", "https"] = ""
    """`X-Forwarded-Proto` of these requests, for an app that sends plain HTTP away to HTTPS. Where the router speaks
    TLS it is `https` anyway; where a proxy before it does, set `XFF_TRUSTED_HOPS` too. Empty: none.
    """
    pointer: Annotated[str, Field(pattern=r"^(/([^~]|~[01])*)?$", max_length=200)] = ""
    """JSON pointer (RFC 6901) to the part of the body that counts, such as `/checks/database/status`. A body without it
    is not good. Empty: `status` of the object, or of each object in a list.
    """
    good: tuple[Word, ...] = ()
    """Further words that mean well, in any case. Beside them: `active`, `alive`, `available`, `fine`, `good`, `green`,
    `healthy`, `it's alive`, `live`, `normal`, `ok`, `okay`, `online`, `operational`, `pass`, `passed`, `passing`,
    `ready`, `running`, `serving`, `success`, `successful`, `up`, `working`; `true` and a number from 200 to 299.
    """
    warning: tuple[Word, ...] = ()
    """Further words that mean well enough: a version may be released, and what serves counts as degraded. Beside them:
    `degraded`, `warn`, `warning`, `yellow`.
    """
    bad: tuple[Word, ...] = ()
    """Further words that mean ill, before any of the others. A word that is in no list means ill too, and the message
    says that nobody explained it.
    """

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        words = [_spelled(word) for word in (*self.good, *self.warning, *self.bad)]
        if twice := [word for word in words if words.count(word) > 1]:
            raise ValueError(f"good, warning, bad: {twice[0]!r} stands twice among them")
        return self

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers with which health is asked for."""
        named = {"host": self.host, "x-forwarded-proto": self.forwarded_proto}
        return {name: value for name, value in named.items() if value}

    def meaning(self, word: str) -> Condition | None:
        """Return what a word says of the app, None for one that nobody explained. The app's own words count first."""
        lists = (
            (self.bad, Condition.UNHEALTHY),
            (self.warning, Condition.DEGRADED),
            (self.good, Condition.HEALTHY),
            (WARNING, Condition.DEGRADED),
            (GOOD, Condition.HEALTHY),
            (BAD, Condition.UNHEALTHY),
        )
        spelled = _spelled(word)
        return next((says for words, says in lists if spelled in map(_spelled, words)), None)


PLAIN = HealthRules()
