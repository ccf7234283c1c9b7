"""Is what a health endpoint answered good? A lying body is believed over a 200, and what is not understood is named."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from gates.release.condition import Condition, Look
from gates.release.health_rules import BAD, PLAIN, HealthRules
from gates.verdict import Action, Verdict

LONGEST_BODY = 64 * 1024
KEYS = "config/pipeline.toml: [health]"
HOST_KEY = f"{KEYS} host, or HEALTH_HOST of the environment"
# How frameworks say that they do not answer to the name in the Host header (Django with DEBUG, Starlette, Werkzeug, and
# proxies), in lower case.
HOST_REFUSED = (
    *("invalid http_host", "disallowedhost", "invalid host header", "invalid host name", "is not trusted"),
    *("host not allowed", "unknown host", "blocked host", "untrusted host", "misdirected request"),
)
REDIRECTS = (301, 302, 303, 307, 308)
# Keys of an object without a `status`: those whose `false` means ill, and those that hold what went wrong.
YES_OR_NO = ("healthy", "ok", "alive", "up", "ready", "success", "available")
WRONG = ("error", "errors")
NO = ("false", "no", "off", "0")
# Of these 0 means no; of the others it may be a count, or the seconds since the start.
NO_COUNT = ("healthy", "ok", "alive", "ready")
TWICE = "twice, and nobody knows which counts"
# An answer may quote an address with its password.
_USER_INFO = re.compile(r"://[^/\s@]*@")


class _Twice:
    """Stands for what an object says twice under one key: nobody knows which of them counts."""


class _Unreadable(Exception):
    """A body that cannot be judged; the message says why, as the end of a sentence about the answer."""


def judge_health(path: str, status: int, body: bytes, rules: HealthRules = PLAIN, location: str = "") -> Verdict:
    """PROMOTE for a 2xx whose JSON body does not say that it is ill; else WAIT (a slot may be starting).

    `location` is the address to which a redirect leads. Each reason names the key that helps, where one can.
    """
    look = condition_of(path, status, body, rules, location)
    return Verdict(Action.WAIT if look.condition is Condition.UNHEALTHY else Action.PROMOTE, look.reason)


def condition_of(path: str, status: int, body: bytes, rules: HealthRules = PLAIN, location: str = "") -> Look:
    """Return what an answer says of a version that serves: what `judge_health` would not promote is UNHEALTHY.

    Of a JSON object the `status` counts, of a list that of each part; `rules.pointer` names another part. A key that
    says no (`"healthy": false`) or holds an error counts against it, and without a status so does a word that means ill
    in the status of an inner part. Without any the code is all there is.
    """
    if len(body) > LONGEST_BODY:
        return Look(Condition.UNHEALTHY, f"{path} answered more than {LONGEST_BODY} bytes")
    if status in REDIRECTS and location:
        return Look(Condition.UNHEALTHY, _redirected(path, status, location, rules))
    if not 200 <= status < 300:
        return Look(Condition.UNHEALTHY, f"{path} answered {status}: {_shown(body)}{_host_hint(status, body, rules)}")
    try:
        condition, said = _judge(_part(_read(body), rules.pointer), rules)
    except RecursionError:
        return Look(Condition.UNHEALTHY, f"{path} answered {status} with JSON nested too deeply to be read")
    except _Unreadable as error:
        return Look(Condition.UNHEALTHY, f"{path} answered {status} {error}")
    if condition is Condition.UNHEALTHY:
        return Look(condition, f"{path} answered {status} but its body says {said}")
    return Look(condition, f"{path} answered {status}" + (f", {said}" if said else ""))


def _read(body: bytes) -> Any:
    """Return what JSON says, None for what is none and does not begin so. Raises RecursionError, and _Unreadable."""
    text = body.decode(json.detect_encoding(body), errors="replace").removeprefix("\ufeff")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_number)
    except ValueError as error:
        if text.lstrip().startswith("{"):
            raise _Unreadable("with what begins as a JSON object and is none") from error
        return None


def _number(digits: str) -> float:
    return int(digits) if len(digits) < 20 else math.inf  # no code that anybody means has twenty digits


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        made[key] = _Twice() if key in made else value
    return made


def _part(said: Any, pointer: str) -> Any:
    """Return the part to which a JSON pointer leads (RFC 6901). Raises _Unreadable if there is none."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(said, dict) and name in said:
            said = said[name]
        elif isinstance(said, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(said):
            said = said[int(name[:9])]
        else:
            raise _Unreadable(f"and has nothing at {pointer!r}, which {KEYS} pointer names")
    if pointer and (said is None or isinstance(said, dict | list) and not _speaks(said)):
        raise _Unreadable(f"and nothing at {pointer!r}, which {KEYS} pointer names, says whether that is good")
    return [said] if pointer and not isinstance(said, dict | list) else said


def _speaks(said: dict[str, Any] | list[Any]) -> bool:
    parts = said if isinstance(said, list) else [said]
    return any(isinstance(part, dict) and {*part} & {"status", *YES_OR_NO, *WRONG} for part in parts)


def _judge(said: Any, rules: HealthRules) -> tuple[Condition, str]:
    """Return the worst of what the parts say, and the words of it."""
    if isinstance(said, dict):
        return _judge_object(said, rules)
    parts = said if isinstance(said, list) else []
    judged = [
        _judge_object(part, rules) if isinstance(part, dict) else _judge_word(part, rules)
        for part in parts
        if isinstance(part, dict) or rules.pointer
    ]
    if not judged:
        return _judge_inner(parts, rules)
    for condition in (Condition.UNHEALTHY, Condition.DEGRADED):
        if found := [one for one in judged if one[0] is condition]:
            return found[0]
    return judged[0] if judged else (Condition.HEALTHY, "")


def _judge_object(said: dict[str, Any], rules: HealthRules) -> tuple[Condition, str]:
    known = {key.lower(): value for key, value in said.items()}
    judged = _judge_word(known["status"], rules) if "status" in known else _judge_inner([said], rules)
    if judged[0] is Condition.UNHEALTHY:
        return judged
    hint = f" beside a good status; if the status alone counts: {KEYS} pointer" if "status" in known else ""
    for key in YES_OR_NO:
        if key in known and _says_no(key, known[key]):
            return Condition.UNHEALTHY, f'"{key}": {_word(known[key])}{hint}'
    for key in WRONG:
        if known.get(key) and isinstance(known[key], bool | str | list | dict | _Twice):
            return Condition.UNHEALTHY, f'"{key}": {_word(known[key])}{hint}'
    return judged


def _says_no(key: str, value: Any) -> bool:
    if isinstance(value, bool | _Twice):
        return value is not True
    if isinstance(value, int | float):
        return value == 0 and key in NO_COUNT
    return isinstance(value, str) and (value.strip().lower() in NO or value.strip().lower() in BAD)


def _judge_inner(parts: Sequence[Any], rules: HealthRules) -> tuple[Condition, str]:
    """Return UNHEALTHY for an inner part whose status is a word that means ill; any other word is none of ours."""
    left = list(parts)
    while left:
        value = left.pop()
        if isinstance(value, dict):
            for key, word in value.items():
                if key.lower() in ("status", "state") and isinstance(word, str):
                    if rules.meaning(word) is Condition.UNHEALTHY:
                        return Condition.UNHEALTHY, f'"{key}": {_word(word)}'
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return Condition.HEALTHY, ""


def _judge_word(word: Any, rules: HealthRules) -> tuple[Condition, str]:
    if word is True or not isinstance(word, bool) and isinstance(word, int | float) and word in range(200, 300):
        return Condition.HEALTHY, str(word)
    if isinstance(word, dict | list):
        return Condition.UNHEALTHY, f"{_word(word)}; name the part of it that counts: {KEYS} pointer"
    if isinstance(word, _Twice):
        return Condition.UNHEALTHY, f'"status" {TWICE}'
    if word is None or isinstance(word, bool):
        return Condition.UNHEALTHY, _word(word)
    condition = rules.meaning(str(word))
    if condition is None:
        return Condition.UNHEALTHY, f"{_word(word)}, a word that nobody explained; if it means well: {KEYS} good"
    return condition, _word(word) if condition is Condition.UNHEALTHY else _word(word)[1:-1]


def _word(value: Any) -> str:
    """Return what a body says in a few words, on one line."""
    if isinstance(value, _Twice):
        return TWICE
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return f'"{_plain(str(value)[:40])}"'


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _shown(body: bytes) -> str:
    return _plain(_USER_INFO.sub("://***@", body.decode(errors="replace")[:240]))[:120]


def _host_hint(status: int, body: bytes, rules: HealthRules) -> str:
    """Say which key to set, when the app refused the name in the Host header or may have."""
    said = body.decode(errors="replace").lower()
    if any(sign in said for sign in HOST_REFUSED) or status == 421:
        refused = f"the Host {rules.host!r}" if rules.host else "the Host of this request"
        return f"; it refuses {refused}; name one of its own: {HOST_KEY}"
    if status == 400 and not rules.host:
        return f"; if it answers to its own names only, give one: {HOST_KEY}"
    return ""


def _redirected(path: str, status: int, location: str, rules: HealthRules) -> str:
    """Say where a redirect leads, without what may be a secret in it, and which key to set."""
    try:
        to = urlsplit(location)
        host, scheme, there = to.hostname or "", to.scheme, to.path or "/"
    except ValueError:
        return f"{path} answered {status}, a redirect to no address"
    shown = _plain(f"{scheme}:" * bool(scheme) + f"//{host}{there}" if host else there)[:120]
    said = f"{path} answered {status}, a redirect to {shown}"
    asked = path.partition("?")[0]
    if there == asked and scheme == "https" and rules.forwarded_proto != "https":
        return f'{said}; if the app wants HTTPS: {KEYS} forwarded_proto = "https"'
    if there == asked and scheme == "https":
        return f"{said}; the router tells the app https from a proxy that it trusts only: XFF_TRUSTED_HOPS"
    if there == asked and host and host != rules.host.partition(":")[0]:
        return f"{said}; if the app wants that name: {HOST_KEY}"
    return f"{said}; name a path that answers itself, without a login: {KEYS} paths"
