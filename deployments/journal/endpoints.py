"""How the journal writes where a slot can be reached."""

from collections.abc import Sequence

from host.ports import LOCAL, Endpoint, Endpoints

Written = int | list[str]


def write_endpoints(endpoints: Endpoints) -> Written:
    """Return endpoints as data: a single one on this host as its port, as ever; others as a list of addresses."""
    if len(endpoints) == 1 and endpoints[0].host == LOCAL:
        return endpoints[0].port
    return [str(endpoint) for endpoint in endpoints]


def read_endpoints(data: int | Sequence[str]) -> Endpoints:
    """Return the endpoints that were written. Raises ValueError, TypeError or AttributeError for any other data."""
    if isinstance(data, int):
        return (Endpoint(LOCAL, data),)
    if isinstance(data, str):
        raise TypeError(f"got {data!r}, expected a port or a list of addresses")
    return tuple(Endpoint.parse(address) for address in data)
