import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from gates.scans.image_names import full_name

DIGEST = "@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("redis:7", "docker.io/library/redis:7"),
        ("library/redis", "docker.io/library/redis:latest"),
        ("team/shop", "docker.io/team/shop:latest"),
        ("docker.io/redis", "docker.io/library/redis:latest"),
        ("docker.io/team/shop:1", "docker.io/team/shop:1"),
        ("index.docker.io/team/shop", "docker.io/team/shop:latest"),
        ("ghcr.io/team/shop", "ghcr.io/team/shop:latest"),
        ("localhost/shop", "localhost/shop:latest"),
        ("localhost:5000/shop:2", "localhost:5000/shop:2"),
        ("registry:5000/a/b/c", "registry:5000/a/b/c:latest"),
        (f"redis{DIGEST}", f"docker.io/library/redis{DIGEST}"),
        (f"ghcr.io/a/b:1{DIGEST}", f"ghcr.io/a/b:1{DIGEST}"),
        (" redis ", "docker.io/library/redis:latest"),
    ],
)
def test_a_name_is_what_the_engine_understands(image: str, full: str) -> None:
    assert full_name(image) == full == full_name(full)


@pytest.mark.fuzz
@settings(deadline=None, derandomize=True)
@given(some.text(alphabet="ab:/@.-${} \u00e9", max_size=30))
def test_any_text_has_one_full_name(image: str) -> None:
    once = full_name(image)
    assert "/" in once and (":" in once or "@" in once)
