"""A pytest plugin: of what was collected, run only the tests that the JSON file SLIPWAY_ONLY names."""

import json
import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: "list[pytest.Item]") -> None:
    with open(os.environ["SLIPWAY_ONLY"], encoding="utf-8") as file:
        wanted = set(json.load(file))
    left_out = [item for item in items if item.nodeid not in wanted]
    items[:] = [item for item in items if item.nodeid in wanted]
    config.hook.pytest_deselected(items=left_out)
