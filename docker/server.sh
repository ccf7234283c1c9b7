#!/bin/sh
# Give Prefect its secrets from files, so that neither the compose file nor `docker inspect` shows them.
set -eu
read -r password < /run/secrets/prefect_database_password
read -r auth < /run/secrets/prefect_auth
export PREFECT_API_DATABASE_CONNECTION_URL="postgresql+asyncpg://prefect:${password}@postgres:5432/prefect"
export PREFECT_SERVER_API_AUTH_STRING="$auth"
exec "$@"
