"""What in a repository's address is a secret, and what is only a name."""

import pytest

from settings.repository_address import holds_password


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("https://git.example/a.git", False),
        ("https://ann@git.example/a.git", False),
        ("https://ann:@git.example/a.git", True),
        ("https://ann:word@git.example/a.git", True),
        ("https://a%3Aword:x@git.example/a.git", True),
        ("https://ghp_x@github.com/a.git", True),
        ("https://github_pat_x@github.com/a.git", True),
        ("https://glpat-x@gitlab.example/a.git", True),
        ("https://" + "x" * 19 + "@git.example/a.git", False),
        ("https://" + "x" * 20 + "@git.example/a.git", True),
        ("https://git.example/a.git?x=1", True),
        ("ssh://git@git.example/a.git", False),
        ("ssh://git:word@git.example/a.git", True),
        ("https://[broken/a.git", True),
        ("git@git.example:a.git", False),
        ("file:///srv/a?b.git", False),
        ("/srv/a:b@c/d", False),
        ("", False),
    ],
)
def test_passwords_tokens_and_questions_are_secrets(address: str, secret: bool) -> None:
    assert holds_password(address) is secret
