"""Bring Prefect's server into the state that `prefect.yaml` describes."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path

import httpx

from cli.deploy import create_deployments, read_deployments
from control.plane import Control
from host import tls
from host.errors import ConfigError, ServerAway
from host.files import write_atomically
from host.home import CHECKOUT
from host.supervisor.readiness import await_ready
from settings.hosts import all_pools, server_url
from settings.targets import Target, check_targets

START_S = 300
HEARTBEAT_LOST = timedelta(seconds=90)
ZOMBIES = "runs whose process is gone are Crashed"


def answers(control: Control) -> bool:
    """Say whether the server answers, and reaches its database."""
    try:
        return httpx.get(f"{control.url}/api/ready", timeout=5, verify=tls.context()).status_code == 200
    except httpx.HTTPError:
        return False


def await_server(control: Control) -> None:
    """Wait for the server, for as long as it works. Raises ServerAway with its last log lines if it does not answer."""
    if why := await_ready(control.supervisor, control.server.programs, lambda: answers(control), START_S):
        raise ServerAway(f"the Prefect server did not answer: {why}\n{control.server.last_words()}")


def register(control: Control) -> None:
    """Create the work pools, the deployments and the automation. Safe to repeat; quick when nothing changed.

    On another host than the server's only look whether they are there.
    """
    os.environ.update(control.client_environment())
    check_targets()
    if server_url():
        if not _known(control):
            raise ConfigError(
                f"the server at {control.url} knows no deployment release/{Target.production().short}; first on its "
                "host: make up"
            )
        return
    stamp, wanted = _stamp(control), _fingerprint(control)
    if _registered(stamp) == wanted and _known(control):
        return
    create_pools()
    create_deployments(read_deployments())
    _create_automation()
    write_atomically(stamp, wanted.encode())


def preload(control: Control) -> None:
    """Load Prefect and the flows when `register` will need them: it takes seconds, in which the server may start."""
    if not server_url() and _registered(_stamp(control)) != _fingerprint(control):
        os.environ.update(control.client_environment())
        read_deployments()


def _stamp(control: Control) -> Path:
    return control.home.control / "registered"


def _registered(stamp: Path) -> str:
    """Return the fingerprint of what was registered last, "" when nothing was."""
    return stamp.read_text(encoding="utf-8") if stamp.exists() else ""


def _fingerprint(control: Control) -> str:
    """Return a digest of what is registered: it changes with the flows, prefect.yaml, the environments and the
    database.
    """
    files = [CHECKOUT / "prefect.yaml", *sorted((CHECKOUT / "flows").glob("*.py"))]
    environments = [(target, target.short, target.takes_green, target.is_production) for target in Target.all()]
    digest = hashlib.sha256(f"{control.url} {control.server.kind} {environments}".encode())
    for file in files:
        digest.update(file.name.encode() + Path(file).read_bytes())
    return digest.hexdigest()


def _known(control: Control) -> bool:
    user, _, password = control.auth.partition(":")
    url = f"{control.url}/api/deployments/name/release/{Target.production().short}"
    answer = httpx.get(url, auth=(user, password), timeout=10)
    return answer.status_code == 200


def create_pools() -> None:
    """Create a process work pool for checks and for each environment. Safe to repeat."""
    # Importing Prefect takes a second, and needs its environment: not at the top of a command.
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        for pool in all_pools():
            try:
                client.read_work_pool(pool)
            except ObjectNotFound:
                client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=template))


def _create_automation() -> None:
    """Have the server notice runs whose process is gone: it does not by itself. Created once."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    ends = {f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed")}
    automation = AutomationCore(
        name=ZOMBIES,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat"} | ends,
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=HEARTBEAT_LOST,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: its process is gone")],
    )
    with get_client(sync_client=True) as client:
        if not client.read_automations_by_name(ZOMBIES):
            client.create_automation(automation)
