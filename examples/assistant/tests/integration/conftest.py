from tests.app_fixtures import (  # noqa: F401
    audit,
    client,
    other,
    person,
    running_client,
    send_sms,
    services,
)
