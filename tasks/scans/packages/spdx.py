"""SPDX expressions parsed by license-expression, as the gates want them."""

import functools
import re

from license_expression import (
    AND,
    OR,
    ExpressionError,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    Licensing,
    get_spdx_licensing,
)

from gates.scans.licences import AllOf, AnyOf, Expression, Licence

# SPDX 3, annex "SPDX license expressions": a licence that is not on its list has a name of the package's own.
OWN_NAME = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")


@functools.cache
def _licensing() -> Licensing:
    return get_spdx_licensing()


@functools.cache
def parse_expression(text: str) -> Expression | None:
    """Return a licence expression's tree, with SPDX's own spelling of each licence; None when it is not one."""
    try:
        parsed = _licensing().parse(text, validate=False, strict=True)
        unknown = _licensing().unknown_license_keys(parsed) if parsed is not None else []
    except (ExpressionError, RecursionError, TypeError, ValueError):
        return None
    if not all(OWN_NAME.fullmatch(name) for name in unknown):
        return None
    return None if parsed is None else _tree(parsed)


def _tree(parsed: object) -> Expression | None:
    if isinstance(parsed, AND | OR):
        parts = [_tree(one) for one in parsed.args]
        known = tuple(part for part in parts if part is not None)
        if len(known) != len(parts):
            return None
        return AllOf(known) if isinstance(parsed, AND) else AnyOf(known)
    if isinstance(parsed, LicenseWithExceptionSymbol | LicenseSymbol):
        return Licence(str(parsed.render("{symbol.key}")) if isinstance(parsed, LicenseSymbol) else _with(parsed))
    return None


def _with(symbol: LicenseWithExceptionSymbol) -> str:
    return f"{symbol.license_symbol.key} WITH {symbol.exception_symbol.key}"
