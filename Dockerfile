# The exchange as a container, with stores of its own in the volume /data:
#   docker build --tag exchange .
#   docker run --init --stop-timeout 45 --ulimit nofile=65536 --publish 127.0.0.1:8080:8080 --volume exchange:/data exchange
# Several workers: `--env EXCHANGE_WORKERS=0` (one for each core, less one for the stores), or
# `exchange serve --workers 4` at the end. With EXCHANGE_DATABASE_URL and EXCHANGE_MARKET_URL it uses
# stores of yours: config/compose.yaml.
FROM python:3.12-slim AS build
WORKDIR /srv/exchange
RUN python -m venv /srv/venv
COPY requirements-run.lock ./
RUN /srv/venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements-run.lock
# The project is linked, not copied, here as in a checkout: its settings lie in config/ beside it.
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY bidders bidders
COPY exchange exchange
RUN /srv/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && /srv/venv/bin/python -m compileall -q exchange bidders

FROM python:3.12-slim
# PostgreSQL starts only for a user that has a name, so this one has.
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin exchange \
    && install --directory --owner=exchange --group=exchange --mode=0700 /data
COPY --from=build /srv /srv
# All that differs from config/exchange.toml: whoever may reach the container may reach the doors.
ENV PATH=/srv/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    EXCHANGE_HOST=0.0.0.0 \
    EXCHANGE_DATA_DIR=/data
USER exchange
WORKDIR /srv/exchange
VOLUME /data
EXPOSE 8080
# SIGTERM lets the leads under way end, for up to shutdown_grace_s (35 s), then the stores of its own
# stop: ten seconds more. SIGHUP restarts several workers one by one; `--init` passes both on.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-c", "\
import os, urllib.request as u; \
port = int(os.environ.get('EXCHANGE_METRICS_PORT') or 0) or os.environ.get('EXCHANGE_PORT') or 8080; \
u.urlopen(f'http://127.0.0.1:{port}/healthz', timeout=2)"]
ENTRYPOINT ["exchange"]
CMD ["serve"]
