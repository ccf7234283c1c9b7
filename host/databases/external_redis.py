"""A Redis of others, asked as the app's user. Nothing here changes anything in it."""

from typing import TYPE_CHECKING, Any

from gates.databases.redis_url import RedisFacts, RedisServer
from host.errors import ToolError
from host.masking import masked

if TYPE_CHECKING:
    import redis

ANSWER_S = 10


def look(server: RedisServer) -> RedisFacts:
    """Return what a server says that answers a PING of the app's user in the app's database. Raises ToolError, without
    the password, if it does not.
    """
    import redis  # a tenth of a second, in environments with a Redis of others alone

    try:
        with _client(server) as client:
            client.ping()
            try:
                role = client.info("replication").get("role")
            except redis.exceptions.NoPermissionError:
                return RedisFacts()
            return RedisFacts(replica=role != "master")
    except (redis.RedisError, OSError, ValueError) as error:
        said = " ".join(masked(str(error), [server.password] if server.password else []).split())[:500]
        raise ToolError(f"the external Redis at {server.shown} does not answer: {said}") from None


def _client(server: RedisServer) -> "redis.Redis":
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options = dict(server.options)
    how: dict[str, Any] = {"host": server.host, "port": server.port}
    if server.socket:
        how = {"unix_socket_path": server.host}
    if server.tls:
        how |= {"ssl": True, "ssl_ca_certs": options.get("ssl_ca_certs")}
        how["ssl_cert_reqs"] = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
        how["ssl_check_hostname"] = server.checked and options.get("ssl_check_hostname", "true").lower() == "true"
    return redis.Redis(
        db=server.database,
        username=server.user or None,
        password=server.password or None,
        protocol=2,  # servers before 6 know no other
        retry=Retry(NoBackoff(), 0),
        socket_timeout=ANSWER_S,
        socket_connect_timeout=ANSWER_S,
        **how,
    )
