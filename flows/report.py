"""How well the team delivers, every week."""

from prefect import flow, runtime
from prefect.client.schemas.objects import State

from host.errors import SlipwayError
from host.files import write_atomically
from host.home import Home
from settings.targets import Target
from tasks.artifacts import show
from tasks.delivery.collect import collect
from tasks.delivery.page import html_page, markdown_page, report_message
from tasks.delivery.plots import png
from tasks.notify.messages import say
from tasks.states import Completed, Failed, cause


@flow(name="report", flow_run_name="report")
def report(environment: Target | None = None, days: int = 90) -> State[str]:
    """Compute the delivery figures, write the page, show it here and say it in Slack with the journals' hashes.

    Args:
        environment: Of which environment; without it of production, which DORA's figures are about.
        days: How many days back.
    """
    try:
        home = Home.find()
        found = collect(home, days, Target(environment) if environment else Target.production())
        file = home.root / "reports" / f"{found.environment}.html"
        write_atomically(file, html_page(found).encode())
        message = report_message(found)
        show("delivery", markdown_page(found), message.headline)
        say(f"report:{runtime.flow_run.id}", message, png=png(found))
    except SlipwayError as error:
        return Failed(message=cause(error))
    return Completed(message=f"{message.headline}; the page with its plots is {file}")
