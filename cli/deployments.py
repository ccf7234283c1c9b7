"""`slipway deployments`: write the deployments of every environment into prefect.yaml."""

from cli.deploy import FILE, write_deployments
from cli.screen import say
from settings.targets import Target, check_targets


def deployments() -> None:
    """Write prefect.yaml's `deployments` from its `definitions` and config/*.env, for `prefect deploy`.

    `make up` creates the deployments of a new environment also without this.
    """
    check_targets()
    changed = write_deployments()
    environments = ", ".join(f"{target} ({target.short})" for target in Target.all())
    say(f"{FILE.name} {'is written' if changed else 'was right'}: {environments}")
