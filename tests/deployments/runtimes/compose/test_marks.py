"""What compose does not print reaches us by labels, of which nothing is left in the model."""

from typing import Any

import pytest

from deployments.runtimes.compose.marks import DEFAULT, READ_ONLY, take_marks, with_marks


@pytest.mark.parametrize(
    ("service", "default", "read_only"),
    [
        ({"image": "${SLIPWAY_IMAGE:-me/app:1}"}, "SLIPWAY_IMAGE me/app:1", None),
        ({"image": "${TAG-me/app:${A:-b}}"}, "TAG me/app:${A:-b}", None),
        ({"image": "me/app:${TAG:-1}"}, None, None),
        ({"image": "me/app", "read_only": False, "labels": {"a": "b"}}, None, "c.yml:3"),
        ({"read_only": True, "labels": None}, None, None),
        ({"read_only": False}, None, "c.yml:3"),
        ({"environment": {"A": "b"}}, None, None),
    ],
)
def test_marks_are_taken_as_they_were_made(service: dict[str, Any], default: str | None, read_only: str | None) -> None:
    marked = with_marks(service, "c.yml:3")
    found = take_marks({"services": {"web": marked}})
    assert (found[DEFAULT].get("web"), found[READ_ONLY].get("web")) == (default, read_only)
    assert (marked.get("labels") or {}) == (service.get("labels") or {})


def test_labels_as_a_list_and_odd_ones_stay() -> None:
    assert with_marks({"image": "x", "labels": ["a=b"]}, "")["labels"][0] == "a=b"
    assert with_marks({"image": "x", "labels": 7}, "") == {"image": "x", "labels": 7}
    assert take_marks({"services": {"web": {"labels": {"a": "b"}}, "db": {}}}) == {DEFAULT: {}, READ_ONLY: {}}
