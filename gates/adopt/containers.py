"""Dockerfiles and compose files: which image is built, and which role each service has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gates.adopt.draft import ALL, Draft
from gates.adopt.roles import Proposal, labels_of, own_services, propose_roles
from gates.adopt.tree import ASIDE, Tree, Yaml, subtable
from gates.compose_roles import ROLE, Role
from gates.scans.dockerfiles.instructions import instructions
from gates.scans.dockerfiles.stages import stages
from gates.scans.outcome import ReportError

# What RUNTIME is where an environment does not say it.
DEFAULT_RUNTIME = "process"
FILE = re.compile(r"(?:docker-)?compose(?P<rest>[\w.-]*)\.ya?ml")
OTHERS = re.compile(r"override|dev|local|test|ci|debug|ui|e2e|https|build")
PRODUCTION = re.compile(r"prod|deploy|live|release")


@dataclass(frozen=True)
class Service:
    """A service of a compose file, with the role that is proposed for it and why. "" is a role of none. `answers`: it
    has a port. `open`: a label must say its role before a release.
    """

    name: str
    role: str
    why: str
    line: int = 0
    built: bool = False
    answers: bool = False
    open: bool = False


@dataclass(frozen=True)
class Stack:
    """A compose file."""

    file: str
    services: tuple[Service, ...] = ()

    @property
    def needed(self) -> list[Service]:
        """Return what of it a runtime of processes could not replace: other than the app, its database and proxies."""
        slots = [one for one in self.services if one.role == "slot"]
        more = [one for one in slots if one.why.startswith("a worker")] or slots[1:]
        others = [one for one in self.services if one.role in ("singleton", "task") or _is_other_store(one)]
        return [*more, *others]


def _is_other_store(service: Service) -> bool:
    return service.role == "shared" and not re.search("postgres|postgis|pgvector|timescale", service.why)


def read_stack(tree: Tree, draft: Draft) -> Stack | None:
    """Return the repository's compose file, the plain or production one, with a role for each service."""
    files = [name for name in tree.yamls if FILE.fullmatch(name.rpartition("/")[2]) and not _is_aside(name)]
    files = [name for name in files if subtable(tree.yamls[name].value, "services")]
    if not files:
        return None
    chosen = min(files, key=lambda name: (_is_overlay(tree.yamls[name]), *_rank(name)))
    others = sorted(set(files) - {chosen})
    if others:
        draft.note(f"of the compose files {chosen} is proposed; the others are not looked at: {', '.join(others)}")
    return Stack(chosen, tuple(_services(tree, chosen)))


def _is_overlay(yaml: Yaml) -> bool:
    """Return whether a file only changes another one: most of its services say nothing that runs."""
    services = subtable(yaml.value, "services")
    whole = [one for one in services.values() if {"image", "build", "extends"} & set(subtable({"one": one}, "one"))]
    return 2 * len(whole) <= len(services)


def _is_aside(name: str) -> bool:
    return bool(ASIDE.search(name))


def _rank(name: str) -> tuple[int, int, str]:
    match = FILE.fullmatch(name.rpartition("/")[2])
    rest = match["rest"] if match else ""
    return (0 if PRODUCTION.search(rest) else 1 if not rest else 3 if OTHERS.search(rest) else 2), name.count("/"), name


def _services(tree: Tree, file: str) -> list[Service]:
    """Return each service with the role that its label or its form says; those with profiles have none."""
    yaml = tree.yamls[file]
    services = {name: subtable(yaml.value, "services", name) for name in subtable(yaml.value, "services")}
    own, found = own_services(services), {one.service: one for one in propose_roles(services)}
    return [
        replace(_service(name, one, found.get(name)), line=yaml.line("services", name), built=name in own)
        for name, one in services.items()
    ]


def _service(name: str, service: Mapping[str, Any], proposal: Proposal | None) -> Service:
    if profiles := service.get("profiles"):
        shown = ", ".join(map(str, profiles)) if isinstance(profiles, list) else str(profiles)
        return Service(name, "", f"left out: it has profiles ({shown[:60]})")
    if proposal is None:
        return Service(name, labels_of(service)[ROLE], "its label says so", answers=bool(service.get("ports")))
    role = str(proposal.labels.get(ROLE, ""))
    return Service(name, role, proposal.why, answers=proposal.answers, open=role != Role.TASK)


def propose_image(tree: Tree, stack: Stack | None, folder: str, draft: Draft) -> None:
    """Propose [image]: the compose file of each environment, and what is built."""
    dockerfiles = [
        name
        for name in tree.called(r"(?:[\w-]+\.)?Dockerfile[\w.-]*", "Containerfile")
        if not _is_aside(name) and name in tree.texts
    ]
    for name in dockerfiles[:5]:
        draft.tell("Dockerfile", _targets(tree.texts[name]), name)
    if stack is None:
        if dockerfiles:
            draft.note(f"{dockerfiles[0]}: without a compose file no image is built; RUNTIME=process runs the app")
        return
    for service in stack.services:
        draft.tell(f"service {service.name}", service.role or "none", f"{stack.file}:{service.line}: {service.why}")
    public = [one for one in stack.services if one.role == "slot" and one.answers]
    if not any(one.built for one in stack.services):
        draft.note(f"{stack.file}: none of its services is built here, so it is proposed for nothing")
        return
    for service in stack.services:
        if service.role:
            draft.put(
                "image.compose", "", f"{stack.file}: service {service.name}: slipway.role: {service.role}", service.why
            )
    for environment in ALL:
        draft.put("image.compose", environment, stack.file, f"{stack.file}:1")
    if len(public) > 1:
        names = ", ".join(one.name for one in public)
        draft.note(f'{stack.file}: {names} publish ports: label the one that answers the public: slipway.port: "8000"')


def _targets(text: str) -> str:
    """Return a Dockerfile's stages, for the table."""
    try:
        found = stages(instructions(text))
    except ReportError as error:
        return f"it cannot be read: {str(error)[:100]}"
    named = [stage.name for stage in found if stage.name]
    return f"stages {', '.join(named)}; the last is built unless compose says target" if named else "one stage"


def block_unlabelled(stack: Stack, draft: Draft) -> None:
    """Say that a release in containers wants a role of each service."""
    if names := [one.name for one in stack.services if one.open]:
        draft.block(
            f"services without a label slipway.role: {', '.join(names)}",
            "make compose ENV=development APP=PATH LABELS=1 shows a patch for git apply",
            stack.file,
        )


def runtime_because(stack: Stack | None) -> tuple[str, str]:
    """Return the runtime that fits: containers where the compose file has what processes cannot replace."""
    if stack is None or not any(one.built for one in stack.services):
        return DEFAULT_RUNTIME, "no compose file builds an image of the app"
    if needed := stack.needed:
        return "compose", f"{stack.file}:{needed[0].line}: {needed[0].name} ({needed[0].role}) beside the app"
    return DEFAULT_RUNTIME, f"{stack.file}: nothing beside the app and PostgreSQL, which Slipway has itself"
