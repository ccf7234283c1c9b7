"""Licences known by their own words, where a package brings its licence's text and no name of it."""

import re

LONGEST = 100_000
# SPDX's identifier and words that stand in that licence and in no other (spdx.org/licenses).
_FORMS = (
    ("MIT", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("Apache-2.0", r"apache license,?(?: \(?the \"?license\"?\)?;?)?,? version 2\.0"),
    (
        "ISC",
        r"permission to use, copy, modify, and(?:/or)? distribute this software for any purpose with or without fee",
    ),
    (
        "HPND",
        r"permission to use, copy, modify,? and distribute this software and its documentation for any purpose and "
        r"without fee",
    ),
    ("MPL-2.0", r"mozilla public license,? (?:version|v\.?) ?2\.0"),
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("CC0-1.0", r"cc0 1\.0 universal"),
    ("Zlib", r"altered source versions must be plainly marked as such"),
    ("BSL-1.0", r"boost software license - version 1\.0"),
    ("PSF-2.0", r"psf license agreement for python|python software foundation license version 2"),
    ("ZPL-2.1", r"zope public license \(zpl\) version 2\.1"),
    ("EUPL-1.2", r"european union public licence v\. ?1\.2"),
    ("SSPL-1.0", r"server side public license"),
)
_BSD = re.compile(r"redistribution and use in source and binary forms, with or without modification")
_ADVERTISING = re.compile(r"all advertising materials mentioning features")
_ENDORSE = re.compile(
    r"neither the names? of|may not be used to endorse|names? of .{1,200}? (?:may|must) not be used to"
)
# The text of each names the others: the first name is its title.
_GNU = re.compile(
    r"gnu (affero |lesser |library )?general public license,?(?: as published by .{1,80}?,)?.{0,40}?version (\d)"
)
_FAMILY = {"affero ": "AGPL", "lesser ": "LGPL", "library ": "LGPL", None: "GPL"}


def named_in(text: str) -> list[str]:
    """Return the SPDX identifiers of the licences whose words stand in a text, the first one first."""
    plain = " ".join(text[:LONGEST].lower().split())
    found = [(match.start(), name) for name, words in _FORMS if (match := re.search(words, plain))]
    if bsd := _BSD.search(plain):
        found.append((bsd.start(), _bsd(plain[bsd.start() :])))
    if gnu := _GNU.search(plain):
        found.append((gnu.start(), _gnu(gnu)))
    return [name for _, name in sorted(found)]


def _bsd(after: str) -> str:
    if _ADVERTISING.search(after):
        return "BSD-4-Clause"
    return "BSD-3-Clause" if _ENDORSE.search(after) else "BSD-2-Clause"


def _gnu(match: re.Match[str]) -> str:
    version = {"2": "2.0", "3": "3.0"}.get(match[2], f"{match[2]}.0")
    family = _FAMILY[match[1]]
    return "LGPL-2.1-only" if (family, version) == ("LGPL", "2.0") else f"{family}-{version}-only"
