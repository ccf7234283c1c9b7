import shutil
import subprocess

import pytest

from gates.scans.debian import Package, Version, check_release, pending, read_packages
from gates.scans.outcome import ReportError

# Older first. From deb-version(7) and Debian's policy, 5.6.12.
ORDERED = [
    ("1.0~beta1~svn1245", "1.0~beta1"),
    ("1.0~beta1", "1.0"),
    ("1.0", "1.0-1"),
    ("1.0-1", "1.0-1+b1"),
    ("1.0-1~deb12u1", "1.0-1"),
    ("1.0-1", "1.0-1.1"),
    ("1.9", "1.10"),
    ("2:0.1", "3:0.0"),
    ("9.9", "1:0.1"),
    ("1.0a", "1.0+"),
    ("1.0", "1.0a"),
    ("3.0.15-1~deb12u1", "3.0.16-1~deb12u1"),
    ("5.36.0-7+deb12u1", "5.36.0-7+deb12u2"),
    ("1.2.3-4-5", "1.2.3-4-6"),
    ("0~", "0"),
    ("1-0~1", "1"),
]
EQUAL = [("1.0", "0:1.0"), ("1.00", "1.0"), ("1.0-0", "1.0"), ("1.01-1", "1.1-1")]


@pytest.mark.parametrize(("older", "newer"), ORDERED)
def test_versions_sort_as_debian_sorts_them(older: str, newer: str) -> None:
    assert Version(older) < Version(newer)
    assert not Version(newer) < Version(older)
    assert Version(older) != Version(newer)


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_versions_are_equal_however_they_are_written(one: str, other: str) -> None:
    assert Version(one) == Version(other)
    assert not Version(one) < Version(other)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is Debian's: the tables above do without")
@pytest.mark.parametrize(("older", "newer"), ORDERED)
def test_dpkg_agrees(older: str, newer: str) -> None:
    assert subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=False, timeout=120).returncode == 0


def test_an_epoch_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ReportError):
        Version("x:1.0")


STATUS = """Package: libssl3
Status: install ok installed
Source: openssl
Version: 3.0.15-1~deb12u1
Description: library
 with more lines
 .

Package: openssl
Status: install ok installed
Version: 3.0.15-1~deb12u1

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: libc6
Status: install ok installed
Source: glibc (2.36-9)
Version: 2.36-9+b1
"""


def test_only_what_is_installed_counts_with_its_source() -> None:
    assert read_packages(STATUS, installed=True) == [
        Package("libssl3", "3.0.15-1~deb12u1", "openssl", "3.0.15-1~deb12u1"),
        Package("openssl", "3.0.15-1~deb12u1", "openssl", "3.0.15-1~deb12u1"),
        Package("libc6", "2.36-9+b1", "glibc", "2.36-9"),
    ]


@pytest.mark.parametrize("text", ["Package: a\n\nPackage: b\nVersion: 1\n", "Version: 1\n"])
def test_an_entry_without_name_or_version_is_an_error(text: str) -> None:
    with pytest.raises(ReportError):
        read_packages(text, installed=False)


def test_updates_are_grouped_by_source_package() -> None:
    archive = [
        Package("openssl", "3.0.16-1~deb12u1", "openssl", "3.0.16-1~deb12u1"),
        Package("libssl3", "3.0.16-1~deb12u1", "openssl", "3.0.16-1~deb12u1"),
        Package("libssl3", "3.0.14-1~deb12u1", "openssl", "3.0.14-1~deb12u1"),
        Package("libc6", "2.36-9+b1", "glibc", "2.36-9"),
        Package("other", "9", "other", "9"),
    ]
    found = pending(read_packages(STATUS, installed=True), archive, "")
    assert [(one.package, one.installed, one.fixed, str(one.severity)) for one in found] == [
        ("openssl", "3.0.15-1~deb12u1", "3.0.16-1~deb12u1", "high")
    ]
    assert "libssl3, openssl" in found[0].message


RELEASE = """Origin: Debian
Suite: oldstable-security
Codename: bookworm-security
Valid-Until: Sat, 01 Jan 2028 00:00:00 UTC
SHA256:
 abc 12 main/binary-amd64/Packages
 def 34 main/binary-amd64/Packages.xz
"""


@pytest.mark.parametrize(
    "text",
    [RELEASE, f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{RELEASE}\n-----BEGIN PGP SIGNATURE-----\nx\n"],
)
def test_a_release_file_names_the_hash_of_its_index(text: str) -> None:
    found = check_release(text, "bookworm-security", "main/binary-amd64/Packages.xz")
    assert found == ("def", "Sat, 01 Jan 2028 00:00:00 UTC")


@pytest.mark.parametrize(
    ("suite", "index"), [("trixie-security", "main/binary-amd64/Packages.xz"), ("bookworm-security", "main/none")]
)
def test_another_suite_or_an_unlisted_index_is_an_error(suite: str, index: str) -> None:
    with pytest.raises(ReportError):
        check_release(RELEASE, suite, index)
