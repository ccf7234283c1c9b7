"""The port of plain HTTP: it sends people to TLS, and tells an ACME authority what it asks for. No I/O.

The answers stand in Envoy's own routes. So nobody on this host can answer in our place: no port has to be free for it.
"""

import hashlib
import json
import re
from collections.abc import Mapping

from deployments.router.routes import Document, typed

REDIRECT = "redirect"
FILE = "acme.json"
CHALLENGES = "/.well-known/acme-challenge/"
# RFC 8555, 8.1 and 8.3: both are of the base64url alphabet, an answer is a token, a dot and a thumbprint.
TOKEN = re.compile("[A-Za-z0-9_-]{1,512}")
ANSWER = re.compile(r"[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]{1,512}")


def redirecting_host(port: int, answers: Mapping[str, str] | None = None) -> Document:
    """Return the host for plain HTTP: people go to TLS on `port`. `answers`: token -> what is read there."""
    redirect = {"https_redirect": True, "port_redirect": port, "response_code": "PERMANENT_REDIRECT"}
    told = [
        {"match": {"path": CHALLENGES + token}, "direct_response": {"status": 200, "body": {"inline_string": answer}}}
        for token, answer in sorted((answers or {}).items())
    ]
    return {"name": "all", "domains": ["*"], "routes": [*told, {"match": {"prefix": "/"}, "redirect": redirect}]}


def challenges(port: int, answers: Mapping[str, str]) -> Document:
    """Return `acme.json`. Its version is that of what stands in it. Raises ValueError for what no authority sends."""
    for token, answer in answers.items():
        if not TOKEN.fullmatch(token) or not ANSWER.fullmatch(answer):
            raise ValueError("expected a token and an answer in the alphabet of base64url")
    host = redirecting_host(port, answers)
    resource = typed("envoy.config.route.v3.RouteConfiguration", name=REDIRECT, virtual_hosts=[host])
    version = hashlib.sha256(json.dumps(host, sort_keys=True).encode()).hexdigest()[:16]
    return {"version_info": version, "resources": [resource]}


def answers_in(document: Document) -> dict[str, str]:
    """Return token -> answer, as `challenges` wrote them. Raises LookupError or TypeError for another document."""
    (host,) = document["resources"][0]["virtual_hosts"]
    told = [route for route in host["routes"] if "direct_response" in route]
    return {
        one["match"]["path"].removeprefix(CHALLENGES): one["direct_response"]["body"]["inline_string"] for one in told
    }
