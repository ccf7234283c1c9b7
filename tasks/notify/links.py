"""Where a person sees a run."""

from control.plane import Control
from host.errors import SlipwayError
from host.home import Home
from settings.notify import read_notify


def run_url(run: str) -> str:
    """Return the address of a flow run's page: at `ui_url` of config/notify.toml, else at this host's own address.

    A file that cannot be read is no reason to fail whoever only wants a link.
    """
    try:
        base = read_notify().ui_url or Control(Home.find()).url
    except SlipwayError:
        base = Control(Home.find()).url
    return f"{base.rstrip('/')}/runs/flow-run/{run}"
