"""Variables of the environment that decide which code a program runs, or where it finds its files: no address belongs
into one, and whoever sets one runs something else than the version that was checked.
"""

import re

DECIDES_CODE = re.compile(
    r"LD_\w+|DYLD_\w+|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|HOSTALIASES"  # the loader and the C library
    r"|PATH|HOME|SHELL|TMPDIR|XDG_\w+"
    r"|ENV|IFS|PS4|CDPATH|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|BASH_\w+"  # shells
    r"|PYTHON\w+|VIRTUAL_ENV|PYTEST_\w+|COVERAGE_\w+|PIP_\w+|UV_\w+|DJANGO_SETTINGS_MODULE"
    r"|NODE_(OPTIONS|PATH|EXTRA_CA_CERTS)|NPM_CONFIG_\w+"
    r"|PERL5\w*|PERLLIB|RUBY(OPT|LIB)|JAVA_TOOL_OPTIONS|_?J(AVA|DK_JAVA)_OPTIONS|GEM_(HOME|PATH)"
    r"|GIT_\w+|SSH_\w+|(OPENSSL_CONF|OPENSSL_MODULES|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)"
    r"|(HTTPS?|ALL|NO)_PROXY|PREFECT_\w+|SLIPWAY_\w+",
    re.IGNORECASE,
)


def decides_code(name: str) -> bool:
    """Return whether a variable of this name decides which code runs or where it is found, by more than the app's."""
    return DECIDES_CODE.fullmatch(name) is not None
