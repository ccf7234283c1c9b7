"""What the services of a compose file are built of, and which of them run what is built."""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from deployments.runtimes.compose.judge import Reach, in_source, secrets_in
from evidence.bundle import Build
from gates.compose_roles import Role
from gates.scans.image_names import HUB, full_name

# What of a build decides about the image, and is given to the engine.
HONOURED = ("additional_contexts", "args", "context", "dockerfile", "labels", "platforms", "tags", "target")
# What decides how fast and how well attested an image is built, not what it is.
MEANINGLESS = ("cache_from", "cache_to", "no_cache", "provenance", "pull", "sbom", "shm_size")
PROJECT = "x-slipway-project"  # how the team's own file calls the project: compose is given another name
KEYS = (*HONOURED, *MEANINGLESS)
WAYS_OUT = {
    "dockerfile_inline": "write it into a file of the repository, which the scans see, and name it with dockerfile",
    "entitlements": "a build gets nothing of the host",
    "extra_hosts": "an image must be the same wherever it is built",
    "network": "an image must be the same wherever it is built",
    "privileged": "a build gets nothing of the host",
    "secrets": "no secret is handed to a build; fetch what it protects before, in a [[build]] step",
    "ssh": "no secret is handed to a build; fetch what it protects before, in a [[build]] step",
}
# What Slipway gives to every build itself, and what speaks to BuildKit instead of the Dockerfile.
WHEELS = "wheels"
OF_BUILDKIT = ("BUILDKIT_", "SOURCE_DATE_EPOCH")
LONGEST_NAME = 255
OURS = "SLIPWAY_IMAGE"
NO_DEFAULTS: Mapping[str, str] = {}
Services = Mapping[str, Mapping[str, Any]]


def read_builds(services: Services, reach: Reach) -> tuple[dict[str, Build], list[str]]:
    """Return what each service is built of that has a build, and what cannot be built, with the way out."""
    found, problems = {}, []
    for name, service in services.items():
        if service.get("build") is not None:
            problems += [f"service {name}: build.{why}" for why in _problems(service["build"], reach)]
            found[name] = _build(service, reach)
    return found, problems


def _build(service: Mapping[str, Any], reach: Reach) -> Build:
    given = service["build"]
    context = _absolute(given.get("context") or ".", reach.source)
    platforms = given.get("platforms") or ([service["platform"]] if service.get("platform") else [])
    contexts = given.get("additional_contexts") or {}
    return Build(
        context=_below(context, reach),
        dockerfile=_below(_absolute(given.get("dockerfile") or "Dockerfile", context), reach),
        target=given.get("target") or None,
        args=_texts(given.get("args")),
        contexts={name: _below(_absolute(path, context), reach) for name, path in contexts.items()},
        labels=_texts(given.get("labels")),
        platform=platforms[0] if platforms else None,
    )


def _problems(given: Mapping[str, Any], reach: Reach) -> Iterator[str]:
    context = _absolute(given.get("context") or ".", reach.source)
    paths = {"context": context, "dockerfile": _absolute(given.get("dockerfile") or "Dockerfile", context)}
    contexts = given.get("additional_contexts") or {}
    paths |= {f"additional_contexts.{name}": _absolute(path, context) for name, path in contexts.items()}
    for key, path in paths.items():
        if not in_source(path, reach):
            yield f"{key}: {path[:200]} is outside of the artifact; name a file of the repository, or remove it"
    if WHEELS in contexts:
        yield f"additional_contexts.{WHEELS}: Slipway gives it, the wheels of the lock; call yours otherwise"
    for name, value in (given.get("args") or {}).items():
        if name.startswith(OF_BUILDKIT):
            yield f"args.{name}: it speaks to BuildKit, not to the Dockerfile; remove it"
        elif value is None:
            yield f"args.{name}: it has no value; write one, or give it a default: ${{NAME:-default}}"
    for secret in sorted(secrets_in(given)):
        yield f"{_holder(given, secret)}: {secret} is a secret, and what a build is given stays in the image; remove it"
    if len(given.get("platforms") or ()) > 1:
        yield "platforms: an artifact is for one platform; name one"


def _holder(given: Mapping[str, Any], secret: str) -> str:
    return next((key for key, value in given.items() if secret in secrets_in(value)), "args")


def _texts(given: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in (given or {}).items()}


def _absolute(path: str, base: str) -> str:
    # compose prints "$" of a path twice
    return posixpath.normpath(posixpath.join(base, path.replace("$$", "$")))


def _below(path: str, reach: Reach) -> str:
    return posixpath.relpath(path, reach.source)


def difference(one: Build, other: Build) -> str:
    """Return by what two builds differ, as in "target (prod, else none)"; "" when they make the same image."""
    left, right = one.model_dump(), other.model_dump()
    return ", ".join(
        f"{key} ({_shown(left[key])}, else {_shown(right[key])})" for key in left if left[key] != right[key]
    )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(sorted(value)) or "none"
    return str(value) if value else "none"


def unlike_the_only_image(builds: Mapping[str, Build], public: str) -> list[str]:
    """Return which services an artifact with one image has nothing for: those built otherwise than the public service,
    or with what was not given to a build when there was only one image.
    """
    if not builds:
        return []
    first = builds.get(public) or next(iter(builds.values()))
    only = Build(dockerfile=first.dockerfile)
    return [
        f"service {name}: build: the artifact has one image, of which this differs in {why}; build the commit again: "
        "prefect deployment run ci/push"
        for name, one in builds.items()
        if (why := difference(one, only))
    ]


def runners(
    services: Services,
    roles: Mapping[str, Role],
    projects: frozenset[str],
    defaults: Mapping[str, str] = NO_DEFAULTS,
) -> tuple[dict[str, str], list[str]]:
    """Return which service's build each service runs: its own, or that of the service whose tag its `image` names. One
    that runs `${SLIPWAY_IMAGE:-tag}` counts as built.

    `projects` are the names by which compose may call the project: a build without a tag has <project>-<service>.
    `defaults`: what `take_marks` found. Also returns what cannot be known, with the way out.
    """
    tags, problems = _tags(services, projects, defaults)
    untagged = {name for name, one in services.items() if one.get("build") is not None and not one.get("image")}
    repositories = {tag.rpartition(":")[0]: name for tag, name in tags.items()}
    found = {}
    for name, service in services.items():
        if service.get("build") is not None:
            found[name] = name
        elif image := service.get("image"):
            owner = tags.get(full_name(image))
            if owner and owner != name:
                found[name] = owner
            elif why := _by_default(image, untagged) or _by_repository(image, repositories, roles.get(name)):
                problems.append(f"service {name}: image {image[:200]}: {why}")
    return found, problems


def _tags(
    services: Services, projects: frozenset[str], defaults: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return which service is built as which tag, and the tags that two different builds would have."""
    found: dict[str, str] = {}
    problems = []
    for name, service in services.items():
        if service.get("build") is None:
            continue
        own = [service["image"]] if service.get("image") else [f"{project}-{name}" for project in sorted(projects)]
        # as compose called it before version 2
        own += [] if service.get("image") else [f"{project}_{name}" for project in sorted(projects)]
        own += [one] if (one := defaults.get(name, "").partition(" ")[2]) else []
        for tag in [*own, *(service["build"].get("tags") or ())]:
            first = found.setdefault(full_name(tag), name)
            if not _same(services[first], service):
                problems.append(
                    f"service {name}: image {tag[:200]}: so is the build of {first} called, which is another; give "
                    "each a tag of its own"
                )
    for name, one in defaults.items():
        variable, _, image = one.partition(" ")
        if name in services and services[name].get("build") is None and variable == OURS and image:
            found.setdefault(full_name(image), name)
    return found, problems


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    def part(service: Mapping[str, Any]) -> dict[str, Any]:
        given = {"dockerfile": "Dockerfile", **service["build"]}
        return {key: given[key] for key in HONOURED if key != "tags" and given.get(key)} | {
            "p": service.get("platform")
        }

    return part(one) == part(other)


def _by_default(image: str, untagged: Collection[str]) -> str:
    """Return why an image may be meant for one that is built without a tag, under a project's name that we do not know;
    "" when it is another.
    """
    words = image.removesuffix(":latest")
    cuts = [at for at, sign in enumerate(words[:LONGEST_NAME]) if sign in "-_" and at]
    name = next((words[at + 1 :] for at in cuts if words[at + 1 :] in untagged), None)
    if name is None or "/" in image or "@" in image:
        return ""
    return (
        f"it may be compose's own name for the build of {name}; give {name} this image: too, or write "
        f"{HUB}/library/{image} if it is that of the Docker Hub"
    )


def _by_repository(image: str, repositories: Mapping[str, str], role: Role | None) -> str:
    """Return why an image may be an old one of what is built; "" when it is another, or exactly that one is meant."""
    owner = repositories.get(full_name(image).rpartition(":")[0])
    if owner is None or "@" in image or role is Role.SHARED:
        return ""
    return f"another tag of what {owner} is built as, so it would not be released; write the same tag"
