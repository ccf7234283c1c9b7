import pytest

from gates.scans.compose import judge_compose
from gates.scans.compose_tree import Part, files_of
from gates.scans.dockerfiles.judge import ImageRules
from gates.scans.outcome import ReportError


def test_files_that_one_leads_to() -> None:
    document = {
        "include": ["more.yml", {"path": ["../a.yml", "./b/c.yml"]}, {"path": "d.yml"}],
        "services": {"a": {"extends": {"file": "base.yml", "service": "x"}}, "b": {"extends": "a"}, "c": None},
    }
    parts = [Part(("e/more.yml",), "e"), Part(("a.yml", "e/b/c.yml"), ""), Part(("e/d.yml",), "e")]
    assert files_of("e/c.yml", document) == (parts, ["e/base.yml"])
    assert files_of("c.yml", {"include": "x.yml"}) == ([Part.of("x.yml")], [])
    assert files_of("e/c.yml", {"include": {"path": "x.yml", "project_directory": ".."}}) == (
        [Part(("e/x.yml",), "")],
        [],
    )
    assert files_of("e/c.yml", {"include": ["x.yml", None]}, "f") == ([Part.of("f/x.yml")], [])
    for path in ("/etc/x.yml", "../x.yml", "https://h/x.yml", "oci://h/x", "${X}/x.yml", "~/x.yml"):
        with pytest.raises(ReportError):
            files_of("c.yml", {"include": [{"path": path}]})
    assert files_of("c.yml", {"include": "${X:-d}/x.yml"}) == ([Part.of("d/x.yml")], [])


def rules(documents: dict[str, object], file: str, folder: str | None = None) -> list[str]:
    found = judge_compose(file, documents, ImageRules(), folder=folder)
    return sorted(one.rule for one in found if one.rule.startswith("compose-host"))


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ({"volumes": ["../../up:/x"]}, ["compose-host-mount"]),
        ({"volumes": ["${UP:-../../up}:/x"]}, ["compose-host-mount"]),
        ({"volumes": [{"type": "bind", "source": "../../up", "target": "/x"}]}, ["compose-host-mount"]),
        ({"env_file": "../../x.env"}, ["compose-host-file"]),
        ({"env_file": [{"path": "../../x.env"}]}, ["compose-host-file"]),
        ({"label_file": ["../../x"]}, ["compose-host-file"]),
        ({"build": "../.."}, ["compose-host-file"]),
        ({"volumes": ["../up:/x", "data:/d", "~/x:/y"]}, ["compose-host-mount"]),
        ({"volumes": ["../up:/x", "data:/d", {"type": "tmpfs", "target": "/t"}], "env_file": ["../x.env"]}, []),
        ({"build": {"context": "..", "additional_contexts": {"a": "../a"}}}, []),
    ],
)
def test_paths_of_what_is_extended_begin_in_its_own_folder(service: dict[str, object], found: list[str]) -> None:
    extends = {"services": {"a": {"extends": {"file": "d/base.yml", "service": "base"}}}}
    base = {"services": {"base": service}}
    assert rules({"c.yml": extends, "d/base.yml": base}, "c.yml") == found
    extends = {"services": {"a": {"extends": {"file": "../../d/base.yml", "service": "base"}}}}
    assert rules({"e/f/c.yml": extends, "d/base.yml": base}, "e/f/c.yml") == found


def test_paths_of_what_is_included_begin_in_the_project_directory() -> None:
    documents: dict[str, object] = {"d/c.yml": {"services": {"a": {"volumes": ["../up:/x"]}}}}
    assert rules(documents, "d/c.yml") == []
    assert rules(documents, "d/c.yml", "") == ["compose-host-mount"]


@pytest.mark.parametrize(
    ("services", "why"),
    [
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, "is extended in a circle"),
        ({f"s{n}": {"extends": f"s{n + 1}"} for n in range(60)}, "is extended by more than"),
        ({"a": {"extends": "b"}}, "that is extended is not there"),
    ],
)
def test_what_is_extended_without_an_end_is_told(services: dict[str, object], why: str) -> None:
    with pytest.raises(ReportError, match=why):
        rules({"c.yml": {"services": services}}, "c.yml")


def test_as_many_as_projects_have_may_extend_each_other() -> None:
    services = {f"s{n}": {"extends": f"s{n + 1}"} for n in range(20)}
    assert rules({"c.yml": {"services": {**services, "s20": {"volumes": ["/etc:/x"]}}}}, "c.yml")
