"""How much of its host a container may use: what a file says of it, and what a service of the app gets else."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

MEMORY = "512m"
CPUS = 1.0
PROCESSES = 512
PERIOD_US = 100_000  # the kernel's own period of processor time
# Both forms in which a file may limit each, and what a service of the app gets without either.
FORMS = (("mem_limit", "memory", MEMORY), ("cpus", "cpus", CPUS), ("pids_limit", "pids", PROCESSES))
# An amount of 0 or less is none: as a limit it lets everything through.
PLAIN = ("mem_limit", "memswap_limit", "cpus", "cpu_quota", "pids_limit")
QUOTA = ("cpu_quota", "cpu_period")
AMOUNT = re.compile(r"([-+]?[0-9]+(?:\.[0-9]*)?|[-+]?\.[0-9]+)\s*([bkmgtp]?)(?:i?b)?", re.IGNORECASE)
LONGEST = 60


def amount(given: object) -> Decimal | None:
    """Return a number, or a number of bytes such as "512m", in its unit; None for what is neither."""
    text = str(given).strip()
    found = AMOUNT.fullmatch(text) if len(text) <= LONGEST else None
    try:
        return Decimal(found[1]) * 1024 ** " kmgtp".index(found[2].lower().replace("b", "") or " ") if found else None
    except InvalidOperation:
        return None


def unlimited(service: Mapping[str, Any], *, zero_alone: bool = False) -> Iterator[str]:
    """Yield what a service says of a limit that is none, by its key: such as `pids_limit: -1`.

    `zero_alone`: only what compose drops from the file when it reads it.
    """
    for key, given in _said(service):
        number = amount(given)
        if number == 0 or (number is not None and number < 0 and not zero_alone):
            yield f"{key} {given}: no limit is none; give it an amount above 0, or remove it"


def _said(service: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    yield from ((key, service[key]) for key in PLAIN if service.get(key) is not None)
    limits = _part(_part(_part(service, "deploy"), "resources"), "limits")
    yield from ((f"deploy.resources.limits.{key}", given) for key, given in limits.items() if given is not None)


def _part(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = given.get(key)
    return part if isinstance(part, Mapping) else {}


def unfit(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a service of the app the engine would refuse beside the limits that it gets."""
    whole = {**service, **missing(service)}
    resources = _part(_part(whole, "deploy"), "resources")
    limit = amount(whole.get("mem_limit") or _part(resources, "limits").get("memory"))
    reserved = {
        "mem_reservation": service.get("mem_reservation"),
        "deploy.resources.reservations.memory": _part(resources, "reservations").get("memory"),
    }
    for key, given in reserved.items():
        if limit is not None and (number := amount(given)) is not None and number > limit:
            yield f"{key} {given}: more than its limit, {limit:f} bytes; give it a memory limit above that"
    swap = amount(service.get("memswap_limit"))
    cpus = service.get("cpus") or _part(resources, "limits").get("cpus")
    if cpus and any(service.get(key) is not None for key in QUOTA):
        yield "cpus beside cpu_quota or cpu_period: the engine takes one of them; keep cpus"
    if limit is not None and swap is not None and 0 < swap < limit:
        yield f"memswap_limit {service['memswap_limit']}: less than its memory limit, {limit:f} bytes; it counts both"


def missing(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits that a service lacks, in the form in which it has others: compose refuses both forms in one.

    The engine refuses `cpus` beside a quota of its own.
    """
    deploy = _part(service, "deploy")
    limits = _part(_part(deploy, "resources"), "limits")
    lacking = [one for one in FORMS if service.get(one[0]) is None and limits.get(one[1]) is None]
    quota: dict[str, Any] = {}
    if any(service.get(key) is not None for key in QUOTA):
        lacking = [one for one in lacking if one[0] != "cpus"]
        if service.get("cpu_quota") is None and limits.get("cpus") is None and service.get("cpus") is None:
            quota = {"cpu_quota": int(CPUS * float(service["cpu_period"]))}
    if not limits:
        return quota | {plain: value for plain, _, value in lacking}
    whole = {**limits, **{nested: value for _, nested, value in lacking}}
    return quota | {"deploy": {**deploy, "resources": {**deploy["resources"], "limits": whole}}}
