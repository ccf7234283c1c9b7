"""When a certificate may be served and when its end is told: both sides of each moment, to the second."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gates.release.certificates import CertificateFacts, acme_reason, ends_soon, refusal

BEGINS = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENDS = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GOOD = CertificateFacts(BEGINS, ENDS, ("shop.example",), key_matches=True, in_order=True)
WRONG_KEY = replace(GOOD, key_matches=False)
OUT_OF_ORDER = replace(GOOD, in_order=False)

OTHER_KEY = "the key does not belong to the certificate for shop.example"
EXPIRED = "the certificate for shop.example expired at 2026-06-01 12:00 UTC"
TOO_EARLY = "the certificate for shop.example is not valid before 2026-03-01 12:00 UTC"
ORDER = "the chain is out of order: expected the server's certificate first, then who issued it, and so on"


@pytest.mark.parametrize(
    ("facts", "now", "why"),
    [
        (GOOD, BEGINS - SECOND, TOO_EARLY),
        (GOOD, BEGINS, ""),
        (GOOD, ENDS - SECOND, ""),
        (GOOD, ENDS, EXPIRED),
        (GOOD, ENDS + SECOND, EXPIRED),
        (WRONG_KEY, BEGINS, OTHER_KEY),
        (WRONG_KEY, ENDS, OTHER_KEY),
        (OUT_OF_ORDER, BEGINS, ORDER),
        (OUT_OF_ORDER, ENDS, EXPIRED),
        (OUT_OF_ORDER, BEGINS - SECOND, TOO_EARLY),
    ],
)
def test_what_must_not_be_served_is_refused_with_its_first_reason(
    facts: CertificateFacts, now: datetime, why: str
) -> None:
    assert refusal(facts, now) == why


@pytest.mark.parametrize(
    ("names", "whose"),
    [
        ((), "nobody"),
        (("a", "b"), "a, b"),
        (("a", "b", "c", "d", "e"), "a, b, c, d, e"),
        (("a", "b", "c", "d", "e", "f"), "a, b, c, d, e"),
    ],
)
def test_a_certificate_is_told_by_its_first_five_names(names: tuple[str, ...], whose: str) -> None:
    why = refusal(replace(WRONG_KEY, names=names), BEGINS)
    assert why == f"the key does not belong to the certificate for {whose}"


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(days=14) + SECOND, ""),
        (timedelta(days=14), "the router's certificate ends at 2026-06-01 12:00 UTC, in 14 days"),
        (timedelta(days=14) - SECOND, "the router's certificate ends at 2026-06-01 12:00 UTC, in 13 days"),
        (SECOND, "the router's certificate ends at 2026-06-01 12:00 UTC, in 0 days"),
        (timedelta(0), "the router's certificate expired at 2026-06-01 12:00 UTC: clients turn away"),
        (-SECOND, "the router's certificate expired at 2026-06-01 12:00 UTC: clients turn away"),
    ],
)
def test_an_end_is_told_from_14_days_before_it(left: timedelta, told: str) -> None:
    assert ends_soon(ENDS, ENDS - left) == told


CERTBOT = """Saving debug log to /x/letsencrypt.log
Requesting a certificate for a.example and b.example

Certbot failed to authenticate some domains (authenticator: manual). The Certificate Authority reported these problems:
  Identifier: a.example
  Type:   dns
  Detail: no such \x1b[1mname

Hint: The Certificate Authority failed to verify the challenge files.

Some challenges have failed.
Ask for help or search for solutions at a forum. See the logfile /x/letsencrypt.log or re-run Certbot with -v.
"""


def test_the_reason_is_what_the_authority_said_of_each_name_else_the_last_words() -> None:
    assert acme_reason(CERTBOT) == "a.example: dns no such [1mname"
    assert acme_reason("Saving debug log to /x\nAn unexpected error occurred:\nThe CA is away\n") == (
        "An unexpected error occurred: The CA is away"
    )
    assert acme_reason("") == "certbot said nothing"
    assert len(acme_reason("x" * 10_000)) < 700
