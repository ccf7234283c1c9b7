"""Is what a health endpoint answered good? A lying body is believed over a 200."""

import json

from gates.release.condition import Condition, Look
from gates.verdict import Action, Verdict

WARNING = {"degraded", "warn"}
GOOD = {"healthy", "ok", "pass", "up"} | WARNING
LONGEST_BODY = 64 * 1024


def judge_health(path: str, status: int, body: bytes) -> Verdict:
    """PROMOTE for a 2xx whose JSON body, when it has a `status`, names a good one; else WAIT (a slot may be
    starting).

    `true` and a 2xx number are good ones too. A body nested too deeply to be read is WAIT.
    """
    if len(body) > LONGEST_BODY:
        return Verdict(Action.WAIT, f"{path} answered more than {LONGEST_BODY} bytes")
    if not 200 <= status < 300:
        return Verdict(Action.WAIT, f"{path} answered {status}: {_shown(body)}")
    try:
        said = json.loads(body)
    except ValueError:
        return Verdict(Action.PROMOTE, f"{path} answered {status}")
    except RecursionError:
        return Verdict(Action.WAIT, f"{path} answered {status} with JSON nested too deeply to be read")
    if not isinstance(said, dict) or "status" not in said:
        return Verdict(Action.PROMOTE, f"{path} answered {status}")
    word = said["status"]
    if not _is_good(word):
        return Verdict(Action.WAIT, f'{path} answered {status} but its body says "{str(word)[:40]}"')
    return Verdict(Action.PROMOTE, f"{path} answered {status}, {word}")


def condition_of(path: str, status: int, body: bytes) -> Look:
    """Return what an answer says of a version that serves: what `judge_health` would not promote is UNHEALTHY."""
    verdict = judge_health(path, status, body)
    if verdict.action is not Action.PROMOTE:
        return Look(Condition.UNHEALTHY, verdict.reason)
    if verdict.reason.rpartition(", ")[2].lower() in WARNING:
        return Look(Condition.DEGRADED, verdict.reason)
    return Look(Condition.HEALTHY, verdict.reason)


def _is_good(word: object) -> bool:
    if isinstance(word, str):
        return word.lower() in GOOD
    return word is True or word in range(200, 300)


def _shown(body: bytes) -> str:
    return body[:120].decode(errors="replace").replace("\n", " ")
