"""Is this a name that a branch can have? By git's own rule, for every name that comes from outside."""

import re

# git check-ref-format(1); a branch may not begin with a dash either (git branch), nor be "@" or "HEAD".
_REF = re.compile(
    r"(?![/.-]|@$|HEAD$|.*(?://|\.\.|@\{|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,240}(?<![/.])", re.DOTALL
)


def branch_problem(name: str) -> str:
    """Say why git would refuse a branch of this name, or why nobody could see what it is; "" for a good one.

    A name with white space, control characters, or signs that hide or turn round what stands beside them is none.
    """
    if not _REF.fullmatch(name):
        return "not a branch name that git accepts"
    if not name.isprintable():
        return "a branch name with characters that cannot be shown"
    return ""
