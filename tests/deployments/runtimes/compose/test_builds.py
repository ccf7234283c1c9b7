"""What services are built of and whose image they run, as compose itself reads the file; and by value."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from deployments.runtimes.compose.builds import difference, runners, unlike_the_only_image
from deployments.runtimes.compose.files import Names, Settled, shared_file, singleton_file, slot_file
from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.model import Stack, read_stack
from deployments.runtimes.compose.read import read_model
from evidence.bundle import Build
from gates.compose_roles import Role
from host.docker.engine import Engine
from host.errors import ConfigError
from tests.growth import assert_in_proportion

needs_compose = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
SLOT = "labels: {slipway.role: slot}"
PUBLIC = 'labels: {slipway.role: slot, slipway.port: "8000"}'
WEB = f"services:\n  web: {{build: ., image: example/shop, {PUBLIC}}}\n"
FIRST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def read(top: Path, text: str, **files: str) -> Stack:
    """Return the stack of a compose file in an artifact that has nothing else but `files`."""
    for name, content in {"compose.yml": text, **{f"{name}.yml": content for name, content in files.items()}}.items():
        (top / name).write_text(content)
    env = {"SLIPWAY_IMAGE": FIRST, "STAGE": "prod", "TAG": "latest"}
    model, problems, _ = read_model(Engine(), top / "compose.yml", top, "shop-production", env, ["TOKEN"])
    return read_stack(model, "compose.yml", Reach("shop-production", str(top.resolve())), problems)


def worker(image: str, role: str = "slot", web: str = "build: ., image: example/shop", top: str = "") -> str:
    """Return a file with a web that is built and a worker that runs an image."""
    return (
        f"{top}services:\n  web: {{{web}, {PUBLIC}}}\n"
        f'  worker: {{image: "{image}", labels: {{slipway.role: {role}}}}}\n'
    )


# What a build says, and what it is.
BUILDS = {
    "a path": ("build: .", Build(dockerfile="Dockerfile")),
    "a folder": ("build: ./api", Build(context="api", dockerfile="api/Dockerfile")),
    "a target": ("build: {context: ., target: release}", Build(dockerfile="Dockerfile", target="release")),
    "a target by variable": ("build: {context: ., target: $STAGE}", Build(dockerfile="Dockerfile", target="prod")),
    "a Dockerfile of a folder": (
        "build: {context: api, dockerfile: prod.Dockerfile}",
        Build(context="api", dockerfile="api/prod.Dockerfile"),
    ),
    "a Dockerfile beside the context": (
        "build: {context: api, dockerfile: ../docker/api.Dockerfile}",
        Build(context="api", dockerfile="docker/api.Dockerfile"),
    ),
    "arguments as a list": (
        "build: {context: ., args: [A=1, 'B=${STAGE}', TAG]}",
        Build(dockerfile="Dockerfile", args={"A": "1", "B": "prod", "TAG": "latest"}),
    ),
    "arguments as a mapping": (
        "build: {context: ., args: {A: 1, C: '${NOWHERE:-x y}'}}",
        Build(dockerfile="Dockerfile", args={"A": "1", "C": "x y"}),
    ),
    "further contexts": (
        "build: {context: ., additional_contexts: [docs=./docs]}",
        Build(dockerfile="Dockerfile", contexts={"docs": "docs"}),
    ),
    "labels": ("build: {context: ., labels: [a=b]}", Build(dockerfile="Dockerfile", labels={"a": "b"})),
    "a platform": (
        "build: {context: ., platforms: [linux/amd64]}",
        Build(dockerfile="Dockerfile", platform="linux/amd64"),
    ),
    "the service's platform": (
        "build: ., platform: linux/arm64",
        Build(dockerfile="Dockerfile", platform="linux/arm64"),
    ),
    "what is not the image": (
        "build: {context: ., cache_from: [a], cache_to: [b], no_cache: true, pull: true, shm_size: 1g}",
        Build(dockerfile="Dockerfile"),
    ),
}


@needs_compose
@pytest.mark.parametrize("case", BUILDS)
def test_a_build_is_read_whole(tmp_path: Path, case: str) -> None:
    written, wanted = BUILDS[case]
    assert read(tmp_path, f"services:\n  web: {{{written}, {PUBLIC}}}\n").builds == {"web": wanted}


@needs_compose
def test_a_build_is_put_together_of_what_is_extended(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    base = "services: {base: {build: {context: api, dockerfile: ../a.Dockerfile, args: {A: 1}}}}\n"
    file = f"services:\n  web: {{extends: {{file: base.yml, service: base}}, build: {{target: web}}, {PUBLIC}}}\n"
    wanted = Build(context="api", dockerfile="a.Dockerfile", target="web", args={"A": "1"})
    assert read(tmp_path, file, base=base).builds == {"web": wanted}


# What a build says, and the key and the reason that are named.
REFUSED = {
    "a secret of the build": ("secrets: [x]", "compose.yml:2: service web: build.secrets: not allowed; no secret"),
    "an agent of ssh": ("ssh: [default]", "compose.yml:2: service web: build.ssh: not allowed; no secret"),
    "a Dockerfile in the file": (
        "dockerfile_inline: FROM x",
        "build.dockerfile_inline: not allowed; write it into a file",
    ),
    "a network": ("network: host", "build.network: not allowed"),
    "names of hosts": ("extra_hosts: ['a:1.1.1.1']", "build.extra_hosts: not allowed"),
    "rights": ("privileged: true", "build.privileged: not allowed; a build gets nothing of the host"),
    "a limit": ("ulimits: {nofile: 1}", "build.ulimits: not allowed; remove it"),
    "a word that nobody knows": ("contextt: .", "build.contextt: not allowed; remove it"),
    "another service's image": (
        "additional_contexts: {base: 'service:base'}",
        "additional_contexts.base: the image of",
    ),
    "the wheels": ("additional_contexts: {wheels: ./mine}", "additional_contexts.wheels: Slipway gives it"),
    "a folder outside": ("additional_contexts: {up: ..}", "additional_contexts.up: .. is outside of the artifact"),
    "an image as context": (
        "additional_contexts: {a: 'docker-image://a'}",
        "additional_contexts.a: docker-image://a: exp",
    ),
    "a secret argument": ("args: ['URL=https://$TOKEN@x']", "build.args: TOKEN is a secret"),
    "a secret argument by name": ("args: [TOKEN]", "build.args: TOKEN is a secret"),
    "a secret target": ("target: $TOKEN", "build.target: TOKEN is a secret"),
    "an argument without a value": (
        "args: [NOWHERE]",
        "compose.yml:2: service web: build.args.NOWHERE: it has no value",
    ),
    "an empty argument": ("args: {NOWHERE: }", "build.args.NOWHERE: it has no value"),
    "the host's": ("args: [HOME]", "build.args: HOME is the host's"),
    "another scope's cache": (
        "args: {BUILDKIT_CACHE_MOUNT_NS: main}",
        "args.BUILDKIT_CACHE_MOUNT_NS: it speaks to BuildKit",
    ),
    "another builder": ("args: {BUILDKIT_SYNTAX: evil/x}", "args.BUILDKIT_SYNTAX: it speaks to BuildKit"),
    "another time": ("args: {SOURCE_DATE_EPOCH: 1}", "args.SOURCE_DATE_EPOCH: it speaks to BuildKit"),
    "two platforms": ("platforms: [linux/amd64, linux/arm64]", "build.platforms: an artifact is for one platform"),
    "a Dockerfile outside": ("dockerfile: ../../Dockerfile", "build.dockerfile: ../../Dockerfile is outside"),
}


@needs_compose
@pytest.mark.parametrize("case", REFUSED)
def test_what_no_image_is_built_by_is_refused_by_name(tmp_path: Path, case: str) -> None:
    written, why = REFUSED[case]
    with pytest.raises(ConfigError) as refused:
        read(
            tmp_path, f"services:\n  web: {{build: {{context: ., {written}}}, {PUBLIC}}}\nsecrets: {{x: {{file: x}}}}\n"
        )
    assert why in str(refused.value)


def test_a_dockerfile_that_a_link_leads_out_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").symlink_to("/etc/hostname")
    model = {"services": {"web": {"build": {"context": "."}, "labels": {"slipway.role": "slot", "slipway.port": "1"}}}}
    with pytest.raises(ConfigError, match="service web: build.dockerfile: .* is outside of the artifact"):
        read_stack(model, "compose.yml", Reach("shop", str(tmp_path)))


# An image of another service, and whether that runs what web is built as.
TAGS = {
    "the same words": ("example/shop", "build: ., image: example/shop", True),
    "latest spelled": ("example/shop:latest", "build: ., image: example/shop", True),
    "latest implied": ("example/shop", "build: ., image: 'example/shop:latest'", True),
    "the Hub spelled": ("docker.io/example/shop", "build: ., image: example/shop", True),
    "the Hub's other name": ("index.docker.io/example/shop:latest", "build: ., image: example/shop", True),
    "a plain name": ("docker.io/library/shop", "build: ., image: shop", True),
    "a registry": ("ghcr.io/example/shop:latest", "build: ., image: ghcr.io/example/shop", True),
    "a registry with a port": ("localhost:5000/shop", "build: ., image: 'localhost:5000/shop:latest'", True),
    "a tag of its own": ("example/shop:1.4", "build: ., image: 'example/shop:1.4'", True),
    "a variable": ("example/shop:${TAG}", "build: ., image: 'example/shop:${TAG:-none}'", True),
    "one of several tags": ("example/shop:edge", "build: {context: ., tags: ['example/shop:edge']}, image: a/b", True),
    "compose's own name": ("shop-production-web", "build: .", True),
    "compose's own name by its variable": ("${COMPOSE_PROJECT_NAME}-web", "build: .", True),
    "compose's own name before version 2": ("shop-production_web:latest", "build: .", True),
    "the image that Slipway names": ("${SLIPWAY_IMAGE}", "build: ., image: '${SLIPWAY_IMAGE}'", True),
    "the image that Slipway names, with a default": (
        "me/app:latest",
        "build: ., image: '${SLIPWAY_IMAGE:-me/app}'",
        True,
    ),
    "its default of a default": ("me/app:latest", "build: ., image: '${SLIPWAY_IMAGE-me/app:${NO:-latest}}'", True),
    "another variable's default": ("me/app:1", "build: ., image: '${TAG:-me/app:1}'", True),
    "another than the default": ("me/other", "build: ., image: '${SLIPWAY_IMAGE:-me/app}'", False),
    "another image": ("redis:7", "build: ., image: example/shop", False),
    "another registry": ("ghcr.io/example/shop", "build: ., image: example/shop", False),
    "another name": ("example/shop-admin", "build: ., image: example/shop", False),
    "exactly one of before": (f"example/shop@{OTHER}", "build: ., image: example/shop", False),
    "a name that only ends alike": ("team/my-web", "build: .", False),
    "an image with a service's name": ("web", "build: .", False),
}


@needs_compose
@pytest.mark.parametrize("case", TAGS)
def test_who_runs_the_apps_image_by_tag_runs_the_released_one(tmp_path: Path, case: str) -> None:
    image, web, same = TAGS[case]
    stack = read(tmp_path, worker(image, web=web))
    file = slot_file(stack, Settled(Names("shop", {}), FIRST, "d", images={"web": OTHER}), "blue", 1, 1)["services"]
    assert file["web-blue"]["image"] == OTHER
    assert (file["worker-blue"]["image"] == OTHER) == same


@needs_compose
def test_the_default_of_the_released_image_is_the_released_image(tmp_path: Path) -> None:
    web = "image: '${SLIPWAY_IMAGE:-me/app:latest}'"
    assert read(tmp_path, worker("me/app", "singleton", web)).runs == {"worker": "web"}
    assert read(tmp_path, worker("me/app", "shared", web)).runs == {"worker": "web"}
    assert read(tmp_path, worker("me/other", "singleton", web)).runs == {}
    assert read(tmp_path, worker("me/app", "singleton", "image: '${TAG:-me/app:latest}'")).runs == {}
    with pytest.raises(ConfigError, match="image me/app:1.4: another tag of what web is built as"):
        read(tmp_path, worker("me/app:1.4", "singleton", web))
    own = "services: {base: {image: '${SLIPWAY_IMAGE:-me/app}'}}\n"
    file = f"services:\n  web: {{extends: {{file: base.yml, service: base}}, image: a/b, build: ., {PUBLIC}}}\n"
    file += "  worker: {image: me/app, labels: {slipway.role: singleton}}\n"
    assert read(tmp_path, file, base=own).runs == {"web": "web"}


@needs_compose
def test_a_singleton_and_a_shared_service_run_the_released_one_too(tmp_path: Path) -> None:
    more = "  beat: {image: example/shop, labels: {slipway.role: singleton}}\n"
    more += "  docs: {image: 'example/shop:latest', labels: {slipway.role: shared}}\n"
    stack, settled = read(tmp_path, WEB + more), Settled(Names("shop", {}), FIRST, "d")
    assert singleton_file(stack, settled, 1)["services"]["beat"]["image"] == FIRST
    assert shared_file(stack, settled)["services"]["docs"]["image"] == FIRST


@needs_compose
def test_compose_s_own_name_has_the_project_that_the_file_names(tmp_path: Path) -> None:
    assert read(tmp_path, worker("bazaar-web", web="build: .", top="name: bazaar\n")).runs["worker"] == "web"
    assert read(tmp_path, worker("prod-web", web="build: .", top="name: ${STAGE}\n")).runs["worker"] == "web"


# An image of another service by which nobody can tell what is meant.
UNCLEAR = {
    "a project that nobody named": (
        worker("bazaar-web", web="build: ."),
        "it may be compose's own name for the build of web",
    ),
    "that, before version 2": (worker("bazaar_web:latest", web="build: ."), "it may be compose's own name"),
    "an older tag": (worker("example/shop:1.3"), "another tag of what web is built as"),
    "an older tag of a singleton": (worker("docker.io/example/shop:1.3", "singleton"), "another tag of what web"),
    "one tag of two builds": (
        WEB + f"  edge: {{build: edge, image: 'example/shop:latest', {SLOT}}}\n",
        "service web: image example/shop: so is the build of edge called, which is another",
    ),
}


@needs_compose
@pytest.mark.parametrize("case", UNCLEAR)
def test_what_cannot_be_known_is_refused_with_the_way_out(tmp_path: Path, case: str) -> None:
    text, why = UNCLEAR[case]
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text)
    assert why in str(refused.value)


@needs_compose
def test_an_older_tag_of_a_shared_service_and_two_equal_builds_are_nobodys_business(tmp_path: Path) -> None:
    more = f"  same: {{build: {{context: ., dockerfile: Dockerfile}}, image: example/shop, {SLOT}}}\n"
    more += "  tools: {image: 'example/shop:1.3', labels: {slipway.role: shared}}\n"
    assert read(tmp_path, WEB + more).runs == {"web": "web", "same": "same"}


def test_an_artifact_with_one_image_has_nothing_for_other_builds() -> None:
    web = Build(dockerfile="Dockerfile")
    others = {
        "edge": (
            web.model_copy(update={"dockerfile": "Dockerfile.nginx"}),
            "dockerfile (Dockerfile.nginx, else Dockerfile)",
        ),
        "search": (Build(context="search", dockerfile="Dockerfile"), "context (search, else .)"),
        "docs": (web.model_copy(update={"target": "docs"}), "target (docs, else none)"),
        "tasks": (web.model_copy(update={"args": {"A": "1"}}), "args (A, else none)"),
    }
    for name, (build, why) in others.items():
        (said,) = unlike_the_only_image({"web": web, name: build}, "web")
        assert said.startswith(f"service {name}: build: the artifact has one image, of which this differs in {why};")
    assert unlike_the_only_image({"web": web, "worker": web}, "web") == []
    assert unlike_the_only_image({"web": others["docs"][0]}, "web")[0].startswith("service web: build:")
    assert unlike_the_only_image({}, "web") == []


def test_builds_differ_in_what_makes_the_image() -> None:
    one = Build(dockerfile="Dockerfile", args={"A": "1", "B": "2"})
    assert one.key == Build(dockerfile="Dockerfile", args={"B": "2", "A": "1"}).key and difference(one, one) == ""
    other = one.model_copy(update={"args": {"A": "2", "B": "2"}})
    assert one.key != other.key and difference(one, other) == "args (A B, else A B)"


def services(count: int) -> dict[str, Any]:
    """Return services of which half is built and the other half runs images."""
    labels = {"slipway.role": "slot"}
    built = {f"b{one}": {"build": {"context": f"c{one}"}, "labels": labels} for one in range(count)}
    return built | {f"i{one}": {"image": f"team/x-b{one}-{one}", "labels": labels} for one in range(count)}


def test_many_services_take_their_number_in_time() -> None:
    def prepared(count: int) -> Callable[[], object]:
        given = services(count)
        return lambda: runners(given, dict.fromkeys(given, Role.SLOT), frozenset({"shop", "bazaar"}))

    assert_in_proportion(prepared, 500, 5_000)


NAMES = some.sampled_from(["web", "edge", "a-b", "x_web", "x-web", "shop", "latest"])
IMAGES = some.one_of(
    some.text(alphabet="ab/:@.-_$ \u00e9", max_size=12),
    some.builds(
        lambda *parts: "".join(parts), *[some.sampled_from(["", "docker.io/", "x:1/", "shop", "-web", ":latest"])] * 3
    ),
)
VALUES = some.one_of(some.none(), some.booleans(), some.integers(), some.text(max_size=5))
GIVEN = some.fixed_dictionaries(
    {},
    optional={
        "context": some.text(alphabet="ab./$\0", max_size=8),
        "dockerfile": some.text(alphabet="ab./$\0", max_size=8),
        "target": some.text(max_size=5),
        "args": some.dictionaries(some.text(max_size=5), VALUES, max_size=3),
        "labels": some.dictionaries(some.text(max_size=5), VALUES, max_size=3),
        "tags": some.lists(IMAGES, max_size=3),
        "platforms": some.lists(some.text(max_size=5), max_size=2),
        "additional_contexts": some.dictionaries(some.text(max_size=5), some.text(alphabet="ab./$\0", max_size=8)),
    },
)
SERVICE = some.fixed_dictionaries(
    {"labels": some.fixed_dictionaries({"slipway.role": some.sampled_from(["slot", "singleton", "shared", "task"])})},
    optional={"build": GIVEN, "image": IMAGES, "expose": some.just(["1"]), "platform": some.text(max_size=5)},
)


@pytest.mark.fuzz
@settings(deadline=None, derandomize=True)
@given(some.dictionaries(NAMES, SERVICE, min_size=1, max_size=4))
def test_any_builds_are_read_or_refused_and_nothing_outside_is_built(given: dict[str, Any]) -> None:
    before = copy.deepcopy(given)
    try:
        stack = read_stack({"name": "shop", "services": given}, "compose.yml", Reach("shop", "/artifact"))
    except ConfigError:
        assert given == before
        return
    for build in stack.builds.values():
        for path in (build.context, build.dockerfile, *build.contexts.values()):
            assert not path.startswith(("/", ".."))
    built = {name for name, one in given.items() if one.get("build") is not None}
    assert {name for name, owner in stack.runs.items() if name == owner} == built == set(stack.builds)
    file = slot_file(stack, Settled(Names("shop", {}), FIRST, "d"), "blue", 1, 1)
    for name, one in file["services"].items():
        assert "build" not in one
        assert one.get("image") == (
            FIRST if name.removesuffix("-blue") in stack.runs else given[name.removesuffix("-blue")].get("image")
        )
