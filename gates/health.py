"""Is what a health endpoint answered good? A lying body is believed over a 200."""

import json

from gates.verdict import Action, Verdict

GOOD = {"healthy", "ok", "pass", "up", "degraded", "warn"}
LONGEST_BODY = 64 * 1024


def judge_health(path: str, status: int, body: bytes) -> Verdict:
    """PROMOTE for a 2xx whose JSON body, when it has a `status`, names a good one; else WAIT (a slot may be
    starting).
    """
    if len(body) > LONGEST_BODY:
        return Verdict(Action.WAIT, f"{path} answered more than {LONGEST_BODY} bytes")
    if not 200 <= status < 300:
        return Verdict(Action.WAIT, f"{path} answered {status}: {_shown(body)}")
    try:
        said = json.loads(body)
    except ValueError:
        return Verdict(Action.PROMOTE, f"{path} answered {status}")
    word = said.get("status") if isinstance(said, dict) else None
    if isinstance(word, str) and word.lower() not in GOOD:
        return Verdict(Action.WAIT, f'{path} answered {status} but its body says "{word[:40]}"')
    return Verdict(Action.PROMOTE, f"{path} answered {status}" + (f", {word}" if isinstance(word, str) else ""))


def _shown(body: bytes) -> str:
    return body[:120].decode(errors="replace").replace("\n", " ")
