import pytest

from gates.code_variables import decides_code


@pytest.mark.parametrize(
    "name",
    [
        *(
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PYTHONHOME",
            "PATH",
            "HOME",
            "BASH_ENV",
            "ENV",
        ),
        *(
            "NODE_OPTIONS",
            "PERL5LIB",
            "GIT_SSH_COMMAND",
            "http_proxy",
            "JAVA_TOOL_OPTIONS",
            "_JAVA_OPTIONS",
            "SSL_CERT_FILE",
        ),
        *(
            "GLIBC_TUNABLES",
            "PIP_INDEX_URL",
            "UV_INDEX",
            "VIRTUAL_ENV",
            "SLIPWAY_HOME",
            "RUBYOPT",
            "npm_config_registry",
        ),
    ],
)
def test_a_variable_of_programs_is_known(name: str) -> None:
    assert decides_code(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "DJANGO_DB_HOST",
            "PGHOST",
            "PGPASSWORD",
            "DB_PATH",
            "DATABASE_HOME",
            "POSTGRES_ENV",
            "NODE_ENV",
            "DB_HOME_PATH",
        ),
        *("SQLALCHEMY_DATABASE_URI", "MY_PYTHONPATH", "SOLD_PRELOAD", "DSN"),
    ],
)
def test_a_name_of_an_app_is_none(name: str) -> None:
    assert not decides_code(name)
