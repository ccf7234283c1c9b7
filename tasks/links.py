"""Where a person sees a run."""

from deployments.control import Control
from deployments.home import Home
from deployments.notify import read_notify
from evidence.errors import SlipwayError


def run_url(run: str) -> str:
    """Return the address of a flow run's page: at `ui_url` of config/notify.toml, else at this host's own address.

    A file that cannot be read is no reason to fail whoever only wants a link.
    """
    try:
        base = read_notify().ui_url or Control(Home.find()).url
    except SlipwayError:
        base = Control(Home.find()).url
    return f"{base.rstrip('/')}/runs/flow-run/{run}"
