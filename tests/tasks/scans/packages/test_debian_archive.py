import hashlib
import lzma
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from gates.scans.outcome import ReportError
from host.errors import SlipwayError
from tasks.scans.packages.debian_archive import KEYRING, security_archive, security_versions

NOW = datetime(2027, 1, 1, tzinfo=UTC)
PACKAGES = "Package: openssl\nVersion: 3.0.16-1\n"
INDEX = "main/binary-amd64/Packages.xz"
NO_KEYRING = Path("/none")


def serve(server: HTTPServer, packages: bytes, **release: str) -> str:
    digest = release.get("digest", hashlib.sha256(packages).hexdigest())
    text = f"Suite: {release.get('suite', 'bookworm-security')}\n"
    text += f"Valid-Until: {release.get('until', 'Sat, 01 Jan 2028 00:00:00 UTC')}\nSHA256:\n {digest} 1 {INDEX}\n"
    base = "/debian/dists/bookworm-security"
    server.expect_request(f"{base}/InRelease").respond_with_data(text)
    server.expect_request(f"{base}/{INDEX}").respond_with_data(packages)
    return server.url_for("/debian")


def test_the_versions_of_the_archive(httpserver: HTTPServer) -> None:
    url = serve(httpserver, lzma.compress(PACKAGES.encode()))
    packages, note = security_versions(url, "bookworm", "amd64", NOW, NO_KEYRING)
    assert [(one.name, one.version) for one in packages] == [("openssl", "3.0.16-1")]
    assert "signature was not checked" in note


@pytest.mark.parametrize(
    ("packages", "release", "reason"),
    [
        (lzma.compress(b""), {}, "names no packages"),
        (b"garbage", {}, "cannot be unpacked"),
        (lzma.compress(PACKAGES.encode())[:-8], {"digest": "ab" * 32}, "not the one"),
        (lzma.compress(b"Package: x\n"), {}, "without name or version"),
        (lzma.compress(PACKAGES.encode()), {"until": "Fri, 01 Jan 2026 00:00:00 UTC"}, "stale"),
        (lzma.compress(PACKAGES.encode()), {"suite": "trixie-security"}, "bookworm-security"),
    ],
)
def test_what_is_not_whole_current_and_right_is_an_error(
    httpserver: HTTPServer, packages: bytes, release: dict[str, str], reason: str
) -> None:
    url = serve(httpserver, packages, **release)
    with pytest.raises((SlipwayError, ReportError), match=reason):
        security_versions(url, "bookworm", "amd64", NOW, NO_KEYRING)


@pytest.mark.skipif(not KEYRING.is_file(), reason="without Debian's keyring a note says that nothing was checked")
def test_a_release_file_without_debians_signature_is_refused(httpserver: HTTPServer) -> None:
    url = serve(httpserver, lzma.compress(PACKAGES.encode()))
    with pytest.raises(SlipwayError, match="not signed"):
        security_versions(url, "bookworm", "amd64", NOW)


@pytest.mark.parametrize("status", [404, 500])
def test_an_archive_that_answers_with_an_error_is_one(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/debian/dists/bookworm-security/InRelease").respond_with_data("", status=status)
    with pytest.raises(SlipwayError, match=str(status)):
        security_versions(httpserver.url_for("/debian"), "bookworm", "amd64", NOW)


def test_an_archive_that_is_not_there_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/debian"
        with pytest.raises(SlipwayError, match="cannot be reached"):
            security_versions(url, "bookworm", "amd64", NOW)


@pytest.mark.parametrize(("codename", "architecture"), [("", "amd64"), ("../x", "amd64"), ("bookworm", "z80")])
def test_an_unknown_release_or_architecture_is_an_error(codename: str, architecture: str) -> None:
    with pytest.raises(SlipwayError, match="no security suite is known"):
        security_versions("http://127.0.0.1:1", codename, architecture, NOW)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "sources.list",
            "# deb http://no/x bookworm-security main\ndeb [arch=amd64] http://a/sec bookworm-security main\n",
        ),
        (
            "sources.list.d/a.sources",
            "Types: deb\nURIs: http://a/x\nSuites: b\n\nURIs: http://a/sec/\nSuites: b-security\n",
        ),
    ],
)
def test_the_hosts_own_archive_is_the_default(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    assert security_archive("", tmp_path) == "http://a/sec"
    assert security_archive("https://mine/x/", tmp_path) == "https://mine/x"


def test_without_one_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="debian_security_url"):
        security_archive("", tmp_path)
