# The Prefect server with PostgreSQL and Redis drivers, at the versions that the rest of Slipway is locked to.
#   docker build -t slipway-server -f docker/server.Dockerfile .
FROM python:3.11-slim AS build
COPY requirements/server.lock .
RUN python -m venv /venv \
    && /venv/bin/python -m pip install -q --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r server.lock

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin prefect
COPY --from=build /venv /venv
COPY docker/server.sh /usr/local/bin/server
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PREFECT_HOME=/tmp/prefect DO_NOT_TRACK=1
USER 10001:10001
EXPOSE 4200
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:4200/api/health', timeout=4)"]
ENTRYPOINT ["sh", "/usr/local/bin/server"]
CMD ["prefect", "server", "start", "--host", "0.0.0.0", "--no-services"]
