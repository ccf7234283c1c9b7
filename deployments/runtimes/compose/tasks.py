"""One-shot services: which services of a compose file are tasks, in which order they run, and for how long.

A task is run once in a release, before the new slot starts. It is known by its label, or because another service waits
for its end (`depends_on` with `service_completed_successfully`).
"""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from gates.compose_roles import ROLE, Role, awaited

TIMEOUT = "slipway.timeout"
TIMEOUT_S = 600.0
LONGEST_S = 86_400.0
Services = Mapping[str, Mapping[str, Any]]


def roles_of(services: Services) -> tuple[dict[str, Role], list[str]]:
    """Return the role of each service that has one, and what is wrong with the others."""
    ends = awaited(services)
    found, problems = {}, []
    for name, service in services.items():
        label = (service.get("labels") or {}).get(ROLE)
        if label is None and name in ends:
            found[name] = Role.TASK
        elif label in list(Role):
            found[name] = Role(label)
        else:
            got = f'got "{label}"' if label else "no label"
            problems.append(f"service {name}: {got}, expected {ROLE}: slot, singleton, shared or task{_hint(service)}")
    return found, problems


def _hint(service: Mapping[str, Any]) -> str:
    once = str(service.get("restart", "")).split(":")[0] in ("no", "False", "on-failure")
    return " (it is not kept running: a task, if it ends by itself)" if once else ""


def task_problems(services: Services, roles: Mapping[str, Role]) -> list[str]:
    """Return what about ends and beginnings of services cannot be kept, each with the way out."""
    found = []
    for name, by in awaited(services).items():
        if name in roles and roles[name] is not Role.TASK:
            found.append(
                f"service {name}: depends_on of {by} waits for its end, and it is labelled {roles[name]}, which never "
                f"ends; label it {ROLE}: task"
            )
    for name, role in roles.items():
        service = services[name]
        found += [f"service {name}: {why}" for why in _waits(service, role, roles)]
        if role is Role.TASK:
            found += [f"service {name}: {why}" for why in _unlike_a_task(service)]
        elif TIMEOUT in (service.get("labels") or {}):
            found.append(f"service {name}: {TIMEOUT}: only a task ends; label it {ROLE}: task, or remove it")
    return found


def _waits(service: Mapping[str, Any], role: Role, roles: Mapping[str, Role]) -> Iterator[str]:
    """A task runs when the shared services are healthy and nothing else of this version is there."""
    for other in service.get("depends_on") or {}:
        of = roles.get(other)
        if role is Role.SHARED and of is Role.TASK:
            yield (
                f"depends_on {other}: a task runs after the shared services; remove it, or let this service do the "
                "work when it starts"
            )
        elif role is Role.TASK and of in (Role.SLOT, Role.SINGLETON):
            yield f"depends_on {other}: a task runs before a {of} starts; remove it"


def _unlike_a_task(service: Mapping[str, Any]) -> Iterator[str]:
    given = (service.get("scale"), (service.get("deploy") or {}).get("replicas"))
    replicas = next((int(number) for number in given if number is not None), 1)
    if replicas != 1:
        yield f"{replicas} replicas of a task; it runs once"
    label = (service.get("labels") or {}).get(TIMEOUT)
    if label is not None and _seconds(label) is None:
        yield f'{TIMEOUT}: got "{str(label)[:60]}", expected seconds > 0 and <= {LONGEST_S:g}'


def _seconds(label: object) -> float | None:
    text = str(label)
    if len(text) > 20 or not (text.isascii() and text.replace(".", "", 1).isdigit()):
        return None
    return seconds if 0 < (seconds := float(text)) <= LONGEST_S else None


def timeout_of(service: Mapping[str, Any]) -> float:
    """Return how long a task may run, in seconds."""
    return _seconds((service.get("labels") or {}).get(TIMEOUT)) or TIMEOUT_S


def in_order(services: Services, names: list[str]) -> list[str]:
    """Return tasks so that each comes after those on which it depends, else as the file orders them.

    Of a circle, which compose refuses itself, the file's order is left.
    """
    places = {name: number for number, name in enumerate(names)}
    graph = {
        name: sorted((one for one in services[name].get("depends_on") or {} if one in places), key=places.__getitem__)
        for name in names
    }
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError:
        return names
    found: list[str] = []
    ready = set(sorter.get_ready())
    while ready:
        name = min(ready, key=places.__getitem__)
        ready.remove(name)
        found.append(name)
        sorter.done(name)
        ready |= set(sorter.get_ready())
    return found
