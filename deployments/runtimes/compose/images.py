"""Which image of an artifact each service runs."""

from deployments.runtimes.compose.builds import unlike_the_only_image
from deployments.runtimes.compose.model import Stack
from deployments.runtimes.compose.preconditions import BUILD
from deployments.runtimes.compose.problems import Unusable
from evidence.bundle import Image


def images_run(image: Image, environment: str, stack: Stack) -> dict[str, str]:
    """Return the id of the artifact's image that a service runs, for each that runs one."""
    names, ids = (image.services or {}).get(environment, {}), image.ids
    found = {name: ids[names.get(builder, "")] for name, builder in stack.runs.items()}
    given = {name: str(stack.service(name).get("image")) for name in stack.roles if name not in found}
    return found | {name: one for name, one in given.items() if one in ids.values()}


def refuse_unbuilt(image: Image, environment: str, stack: Stack) -> None:
    """Raises Unusable if `ci` built nothing for a service that has a build, or for the public one."""
    file, public, found = image.compose[environment], stack.service(stack.public), []
    if stack.public not in stack.runs and public.get("image") != image.id:
        found.append(
            f"service {stack.public} runs {public.get('image')}, not the image that was built; give it "
            "image: ${SLIPWAY_IMAGE}"
        )
    if image.services is not None and (new := set(stack.builds) - set(image.services.get(environment, ()))):
        found.append(f"service {', '.join(sorted(new))}: build: the artifact has no image for it; {BUILD}")
    if found:
        raise Unusable(file, found, stack)


def unlike_the_image(image: Image, environment: str, stack: Stack) -> list[str]:
    """Return which services of an artifact that was made when there was one image are built otherwise than that."""
    found = unlike_the_only_image(stack.builds, stack.public) if image.services is None else []
    return [f"{image.compose[environment]}: {one}" for one in found]
