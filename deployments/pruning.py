"""Remove what no environment of this host can need any more: images, and old statements of scans."""

from collections.abc import Sequence

from deployments.environment import Environment
from evidence.bundle import read_bundle
from evidence.statements import forget_scans
from gates.release.retention import Needs, keep
from host.docker.engine import Engine
from host.errors import ArtifactError


def prune(places: Sequence[Environment], newest: int) -> list[str]:
    """Remove images beyond the `newest` releases; return what was removed, a line each. Safe to repeat.

    Never what runs, what is live, warm or the last good one of any environment, nor an image that any container uses.
    Pushed images stay in their registry. Raises JournalError if a journal cannot be trusted: then nothing is removed.
    """
    store = places[0].store
    kept = keep([_needs(place) for place in places], store.artifacts(), newest)
    images = [(digest, image) for digest in store.artifacts() for image in _images(places[0], digest)]
    needed = {image for digest, image in images if digest in kept}
    said = []
    for engine in {place.settings.docker_host: Engine(place.settings.docker_host) for place in places}.values():
        for digest, image in images:
            if image not in needed and engine.image(image) and engine.remove_image(image):
                said.append(f"image {image[:19]} of {digest[:12]}")
    return said


def prune_scans(places: Sequence[Environment], newest: int) -> int:
    """Remove all `scans` statements but the newest of every artifact beyond the `newest` releases; return how many.

    What may be needed keeps all of its own, up to what `security` itself leaves. Raises like `prune`, and EvidenceError
    when a statement is not genuine. Safe to repeat.
    """
    store, keys = places[0].store, places[0].keys
    kept = keep([_needs(place) for place in places], store.artifacts(), newest)
    return sum(forget_scans(store, keys, digest, 1) for digest in store.artifacts() if digest not in kept)


def _needs(place: Environment) -> Needs:
    ledger = place.ledger()
    return Needs(
        live=ledger.live.version.digest if ledger.live else None,
        running=[slot.digest for slot in ledger.slots.values() if slot.running],
        promoted=ledger.promoted,
        condemned=ledger.condemned,
        under_way=[ledger.unfinished.version.digest] if ledger.unfinished else [],
    )


def _images(place: Environment, digest: str) -> list[str]:
    try:
        image = read_bundle(place.store, digest).image
    except ArtifactError:
        return []
    return list(image.ids.values()) if image else []
