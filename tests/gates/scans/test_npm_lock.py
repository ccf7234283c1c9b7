import pytest
from pydantic import ValidationError

from gates.scans.licences import Package
from gates.scans.npm_lock import NpmLock, locked_packages


def lock(**packages: object) -> NpmLock:
    return NpmLock.model_validate({"lockfileVersion": 3, "packages": packages})


def package(name: str, version: str = "1.0.0", shipped: bool = True, expression: str = "") -> Package:
    return Package(name, version, "npm", shipped, expression=expression)


@pytest.mark.parametrize(("version", "readable"), [(1, False), (2, True), (3, True), (4, False)])
def test_versions_2_and_3_of_the_format_are_read(version: int, readable: bool) -> None:
    if readable:
        assert NpmLock.model_validate({"lockfileVersion": version, "packages": {}}).packages == {}
    else:
        with pytest.raises(ValidationError):
            NpmLock.model_validate({"lockfileVersion": version, "packages": {}})


def test_packages_are_told_with_version_licence_and_hash_in_the_order_of_the_lock() -> None:
    pinned = lock(
        **{
            "": {"name": "shop", "version": "9.9.9", "license": "UNLICENSED"},
            "node_modules/vue": {"version": "3.4.0", "license": "MIT", "integrity": "sha512-v"},
            "node_modules/@vue/shared": {"version": "3.4.1", "license": "MIT", "integrity": "sha512-s"},
            "node_modules/vue/node_modules/csstype": {"version": "2.0.0", "integrity": "sha512-c"},
        }
    )
    assert locked_packages(pinned) == [
        (package("vue", "3.4.0", expression="MIT"), "sha512-v"),
        (package("@vue/shared", "3.4.1", expression="MIT"), "sha512-s"),
        (package("csstype", "2.0.0"), "sha512-c"),
    ]


def test_the_app_itself_its_workspaces_and_links_to_them_are_none_of_the_packages() -> None:
    own = {
        "": {"version": "1.0.0"},
        "packages/ui": {"version": "1.0.0"},
        "node_modules/ui": {"link": True, "version": "1.0.0"},
    }
    assert locked_packages(lock(**own)) == []


@pytest.mark.parametrize(
    ("first_dev", "second_dev", "shipped", "integrity"),
    [
        (True, True, False, "sha512-1"),
        (True, False, True, "sha512-2"),
        (False, True, True, "sha512-1"),
        (False, False, True, "sha512-2"),
    ],
)
def test_a_package_is_told_once_and_is_shipped_when_one_of_its_places_is(
    first_dev: bool, second_dev: bool, shipped: bool, integrity: str
) -> None:
    pinned = lock(
        **{
            "node_modules/ms": {"version": "1.0.0", "dev": first_dev, "integrity": "sha512-1"},
            "node_modules/debug/node_modules/ms": {"version": "1.0.0", "dev": second_dev, "integrity": "sha512-2"},
        }
    )
    assert locked_packages(pinned) == [(package("ms", shipped=shipped), integrity)]


def test_a_package_under_another_name_is_told_by_its_own() -> None:
    pinned = lock(**{"node_modules/react-old": {"name": "react", "version": "17.0.0"}})
    assert [one for one, _ in locked_packages(pinned)] == [package("react", "17.0.0")]


def test_another_version_of_a_package_is_another_package() -> None:
    pinned = lock(
        **{"node_modules/ms": {"version": "1.0.0"}, "node_modules/a/node_modules/ms": {"version": "2.0.0", "dev": True}}
    )
    assert [one for one, _ in locked_packages(pinned)] == [package("ms"), package("ms", "2.0.0", shipped=False)]


@pytest.mark.parametrize(
    ("licence", "text"),
    [
        ("MIT", "MIT"),
        (" MIT ", "MIT"),
        ("MIT" + " AND MIT" * 37 + " AND GPL-3.0-only", "MIT" + " AND MIT" * 37 + " AND GPL-3.0-only"),
        ("x" * 2_000, "x" * 2_000),
        ("x" * 2_001, "a licence of 2001 characters"),
        ({"type": "MIT", "url": "https://example.com"}, "MIT"),
        ({"url": "https://example.com"}, ""),
        ({"type": {"type": "MIT"}}, ""),
        ([{"type": "MIT"}, {"type": "Apache-2.0"}], "MIT OR Apache-2.0"),
        ([{"type": "MIT"}, {}, 7, "ISC"], "MIT OR ISC"),
        ([], ""),
        (None, ""),
        (7, ""),
    ],
)
def test_licences_are_read_in_old_forms_too(licence: object, text: str) -> None:
    ((found, _),) = locked_packages(lock(**{"node_modules/ms": {"version": "1.0.0", "license": licence}}))
    assert found.expression == text
