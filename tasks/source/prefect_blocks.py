"""Prefect blocks that config/pipeline.toml names, and the login for a private repository that one of them holds."""

import base64
from typing import TypeVar

from prefect.blocks.core import Block

from host.errors import ConfigError
from settings.pipeline import App

BlockType = TypeVar("BlockType", bound=Block)


def load_block(kind: type[BlockType], name: str, key: str) -> BlockType:
    """Return a block by its name. Raises ConfigError with the key of config/pipeline.toml if Prefect has none."""
    try:
        return kind.load(name)  # type: ignore[return-value]  # in a task or a sync flow it is no coroutine
    except ValueError as error:
        slug = kind.get_block_type_slug()
        raise ConfigError(
            f"config/pipeline.toml: {key}: Prefect has no block {slug}/{name}; make it on the UI's page Blocks, "
            "or correct the name"
        ) from error


def repository_login(app: App) -> dict[str, str]:
    """Return the variables by which git logs in to the app's repository; none without `credentials_block`.

    Variables and not an address with the token in it: every user of this host can read command lines, and git writes
    addresses into its errors. The login goes to the repository's host alone. Raises ConfigError.
    """
    if not app.credentials_block:
        return {}
    from prefect_github import GitHubCredentials  # takes seconds: its GraphQL schema comes with it

    block = load_block(GitHubCredentials, app.credentials_block, "app.credentials_block")
    token = block.token.get_secret_value().strip() if block.token else ""
    if not token:
        raise ConfigError(
            f"config/pipeline.toml: app.credentials_block: the block {app.credentials_block} holds no token"
        )
    scheme, _, rest = app.repository.partition("://")
    login = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{scheme}://{rest.split('/')[0]}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
    }
