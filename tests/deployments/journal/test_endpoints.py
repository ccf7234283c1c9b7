"""Where a slot can be reached is written in two forms, and both are read."""

import pytest

from deployments.journal.endpoints import Written, read_endpoints, write_endpoints
from host.ports import LOCAL, Endpoint, Endpoints

LOCAL_ONE = (Endpoint(LOCAL, 9004),)
OTHER = (Endpoint("10.0.0.5", 8000),)
SEVERAL = (Endpoint(LOCAL, 9004), Endpoint("::1", 9005))


@pytest.mark.parametrize(
    ("endpoints", "written"),
    [
        (LOCAL_ONE, 9004),  # as every installation wrote it before there were others
        (OTHER, ["10.0.0.5:8000"]),
        (SEVERAL, ["127.0.0.1:9004", "[::1]:9005"]),
    ],
)
def test_what_is_written_is_read(endpoints: Endpoints, written: Written) -> None:
    assert write_endpoints(endpoints) == written
    assert read_endpoints(written) == endpoints


@pytest.mark.parametrize("data", ["9004", ["9004"], ["host:80"], ["10.0.0.5:"], [9004], None])
def test_neither_form_is_refused(data: Written) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        read_endpoints(data)
