"""May a commit go out from where it stands in the repository now?"""

import re
from collections.abc import Sequence

ANY = "*"


def allowed_branches(setting: str, default: Sequence[str]) -> tuple[str, ...]:
    """Return the branches that ALLOWED_BRANCHES names; without a name the default."""
    named = tuple(name.strip() for name in setting.split(",") if name.strip())
    return named or tuple(dict.fromkeys(default))


def allowed_ones(branches: Sequence[str], allowed: Sequence[str]) -> list[str]:
    """Return the branches that are allowed; `*` in an allowed name stands for any characters."""
    patterns = [re.compile(".*".join(re.escape(part) for part in name.split("*"))) for name in allowed]
    return [branch for branch in branches if any(pattern.fullmatch(branch) for pattern in patterns)]
