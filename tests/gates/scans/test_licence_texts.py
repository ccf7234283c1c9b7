import pytest

from gates.scans.licence_texts import named_in

GPL_TEXT = (
    "GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007\n" + "words " * 50 + "GNU Lesser General Public License"
)
MIT_TEXT = (
    "Copyright (c) 2024 A\nPermission is hereby granted, free of charge,\n to any person obtaining a copy " + "of " * 90
)
BSD_TEXT = "Redistribution and use in source and binary\n forms, with or without modification, are permitted"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param(GPL_TEXT, ["GPL-3.0-only"], id="GPL, which names the LGPL too"),
        pytest.param(MIT_TEXT, ["MIT"], id="MIT"),
        pytest.param(BSD_TEXT, ["BSD-2-Clause"], id="BSD, two clauses"),
        pytest.param(BSD_TEXT + " Neither the name of A", ["BSD-3-Clause"], id="BSD, three clauses"),
        pytest.param(BSD_TEXT + " All advertising materials mentioning features", ["BSD-4-Clause"], id="BSD, four"),
        pytest.param("Apache License\n   Version 2.0, January 2004", ["Apache-2.0"], id="Apache"),
        pytest.param("GNU LESSER GENERAL PUBLIC LICENSE Version 2.1", ["LGPL-2.1-only"], id="LGPL"),
        pytest.param("Mozilla Public License Version 2.0", ["MPL-2.0"], id="MPL"),
        pytest.param(BSD_TEXT + "\n" + MIT_TEXT, ["BSD-2-Clause", "MIT"], id="two"),
        pytest.param("All rights reserved. Ask us.", [], id="none"),
    ],
)
def test_a_licence_is_known_by_its_own_words(text: str, names: list[str]) -> None:
    assert named_in(text) == names
