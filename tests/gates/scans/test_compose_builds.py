from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.scans.compose import judge_compose
from gates.scans.compose_builds import builds_of
from gates.scans.compose_tree import Part
from gates.scans.dockerfiles.judge import ImageRules
from gates.scans.dockerfiles.stages import Asked
from gates.scans.outcome import ReportError


def files(document: Any, file: str = "compose.yml", **others: Any) -> list[str]:
    documents = {file: document, **{f"{name}.yml": other for name, other in others.items()}}
    return [name for name, _ in builds_of(Part.of(file), documents)]


@pytest.mark.parametrize(
    ("build", "file"),
    [
        (".", "Dockerfile"),
        ("api", "api/Dockerfile"),
        ({"context": "api"}, "api/Dockerfile"),
        ({"dockerfile": "web.prod"}, "web.prod"),
        ({"context": "api", "dockerfile": "../docker/api"}, "docker/api"),
        ({"context": "..", "dockerfile": "x"}, "../x"),
        ({}, "Dockerfile"),
    ],
)
def test_the_dockerfile_of_a_service_is_known(build: object, file: str) -> None:
    assert files({"services": {"web": {"build": build}}}) == [file]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"services": []},
        {"services": {"web": None}},
        {"services": {"web": {"image": "x"}}},
        {"services": {"web": {"build": "$WHERE"}}},
        {"services": {"web": {"build": "https://example.org/x.git"}}},
        {"services": {"web": {"build": {"context": ["a"]}}}},
        {"services": {"web": {"build": {"context": ".", "dockerfile": 7}}}},
    ],
)
def test_what_names_no_file_of_the_commit_is_left_out(document: object) -> None:
    assert files(document) == []


# As docker compose config puts them together: a base file in the folder d, the service that extends it, and what it is
# built of.
TOGETHER: dict[str, tuple[Any, Any, str]] = {
    "the whole build": ({"context": ".", "dockerfile": "worker.img"}, None, "d/worker.img"),
    "a text": ("..", None, "Dockerfile"),
    "its Dockerfile": ({"context": "."}, {"dockerfile": "worker.img"}, "d/worker.img"),
    "its context": ({"context": "x", "dockerfile": "worker.img"}, {"context": "y"}, "y/worker.img"),
    "its context as a text": ({"context": "x", "dockerfile": "worker.img"}, "y", "y/worker.img"),
    "without a context": ({"dockerfile": "worker.img"}, None, "worker.img"),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_a_build_is_put_together_of_what_is_extended(case: str) -> None:
    base, own, file = TOGETHER[case]
    web = {"extends": {"file": "d/base.yml", "service": "base"}, **({"build": own} if own is not None else {})}
    documents = {"c.yml": {"services": {"web": web}}, "d/base.yml": {"services": {"base": {"build": base}}}}
    assert [name for name, _ in builds_of(Part.of("c.yml"), documents)] == [file]


def test_files_that_are_included_as_one_are_put_together() -> None:
    documents = {
        "d/a.yml": {"services": {"web": {"build": {"context": "api"}}}},
        "b.yml": {"services": {"web": {"build": {"dockerfile": "worker.img"}}, "none": None}},
    }
    assert [name for name, _ in builds_of(Part(("d/a.yml", "b.yml"), "d"), documents)] == ["d/api/worker.img"]


@pytest.mark.parametrize(
    ("build", "asked"),
    [
        ({}, Asked.of("", {}, ())),
        ({"target": "prod"}, Asked.of("prod", {}, ())),
        ({"target": "${STAGE:-prod}"}, Asked.of("prod", {}, ())),
        ({"target": "$STAGE"}, Asked.of("", {}, ())),
        ({"args": ["A=1", "B", "C=$D", "E=a$$b"]}, Asked.of("", {"A": "1", "B": None, "C": None, "E": "a$b"}, ())),
        ({"args": {"A": 1, "B": None, "C": "${D:-x}"}}, Asked.of("", {"A": "1", "B": None, "C": "x"}, ())),
        ({"additional_contexts": {"docs": "./docs"}}, Asked.of("", {}, ("docs",))),
        ({"additional_contexts": ["docs=./docs"]}, Asked.of("", {}, ("docs",))),
    ],
)
def test_what_a_build_asks_is_known(build: dict[str, Any], asked: Asked) -> None:
    ((_, found),) = builds_of(Part.of("c.yml"), {"c.yml": {"services": {"web": {"build": build}}}})
    assert found == asked


DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                "services web build image context dockerfile tags volumes args target extends file".split()
            ),
            inner,
        ),
    ),
    max_leaves=20,
)


@pytest.mark.fuzz
@settings(deadline=None, derandomize=True)
@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_any_build_of_any_service_is_read(document: object, build: object, image: object) -> None:
    service = {"services": {"web": {"build": build, "image": image}, "worker": {"image": "a:latest"}}}
    assert all("\0" not in one for one in files(service))
    judge_compose("compose.yml", {"compose.yml": service}, ImageRules())
    try:
        assert all(isinstance(one, str) for one in files(document))
    except ReportError:
        pass
