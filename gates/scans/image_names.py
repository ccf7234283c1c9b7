"""Names of container images, as an engine understands them."""

HUB = "docker.io"


def full_name(image: str) -> str:
    """Return an image's name with registry and tag (`:latest` when it has none), and its digest if it has one."""
    name, at, digest = image.strip().partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = HUB, name
    first = HUB if first == f"index.{HUB}" else first
    rest = f"library/{rest}" if first == HUB and "/" not in rest else rest
    tagged = rest if at or ":" in rest else f"{rest}:latest"
    return f"{first}/{tagged}{at}{digest}"
