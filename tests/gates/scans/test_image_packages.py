import pytest

from gates.scans.image_packages import Installed, judge_packages, package_of

SITE = "usr/local/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"{SITE}/Flask-3.0.3.dist-info/METADATA", Installed("flask", "3.0.3")),
        (f"{SITE}/ruamel.yaml-0.18.6.dist-info/METADATA", Installed("ruamel-yaml", "0.18.6")),
        (f"{SITE}/zope.interface-6.4.post2.dist-info/METADATA", Installed("zope-interface", "6.4.post2")),
        (f"{SITE}/torch-2.3.0+cpu.dist-info/METADATA", Installed("torch", "2.3.0+cpu")),
        (f"{SITE}/old-1.0-py3.11.egg-info/PKG-INFO", Installed("old", "1.0")),
        (f"{SITE}/older-1.0.egg-info", Installed("older", "1.0")),
        ("app/.venv/lib/python3.11/site-packages/a_b-1.dist-info/METADATA", Installed("a-b", "1")),
        ("usr/local/lib/python3.11/dist-packages/a-1.dist-info/METADATA", Installed("a", "1")),
        ("usr/lib/python3/dist-packages/a-1.dist-info/METADATA", None),
        (f"{SITE}/a-1.dist-info/RECORD", None),
        (f"{SITE}/a/METADATA", None),
        ("a-1.dist-info/METADATA", None),
    ],
)
def test_a_package_is_named_by_its_metadata(path: str, found: Installed | None) -> None:
    assert package_of(path) == found


LOCKED = {"flask": {"3.0.3"}, "numpy": {"1.26.4", "2.0.0"}, "a": {"1.0"}, "setuptools": {"70"}}


@pytest.mark.parametrize(
    ("package", "rule"),
    [
        (Installed("flask", "3.0.3"), ""),
        (Installed("flask", "3.0.2"), "package-not-as-locked"),
        (Installed("numpy", "2.0.0"), ""),
        (Installed("a", "1"), ""),
        (Installed("requests", "2.32.0"), "package-not-locked"),
        (Installed("pip", "24.0"), ""),
        (Installed("setuptools", "65"), "package-not-as-locked"),
        (Installed("app", "0.1", own=True), ""),
        (Installed("flask", "no version"), "package-not-as-locked"),
    ],
)
def test_what_is_in_the_image_is_what_was_scanned(package: Installed, rule: str) -> None:
    assert [one.rule for one in judge_packages("app", [package, package], LOCKED)] == [rule] * bool(rule)


def test_a_difference_names_both_versions() -> None:
    (finding,) = judge_packages("app", [Installed("numpy", "1.0")], LOCKED)
    assert finding.message == "numpy 1.0 is in the image, 1.26.4 or 2.0.0 in the lock that was scanned"
    assert (finding.package, finding.installed) == ("numpy", "1.0")
