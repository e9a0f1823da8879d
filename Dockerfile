# syntax=docker/dockerfile:1
# Three stages: front-end assets, Python packages, and an image that holds only what runs.
# Nothing in the image writes outside /data and /tmp:
#   docker run --read-only --tmpfs /tmp -v idp:/data -e IDP_ISSUER=https://login.example.org ... IMAGE

FROM python:3.11-slim-bookworm AS assets
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY scripts ./scripts
COPY idp/web ./idp/web
RUN python scripts/assets.py

FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
RUN python -m venv /venv
COPY requirements-runtime.lock ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-runtime.lock \
 && echo /app > "$(/venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/idp.pth"

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 idp && useradd --uid 10001 --gid idp --no-create-home --home-dir /data --shell /usr/sbin/nologin idp \
 && install --directory --owner=idp --group=idp --mode=0700 /data
WORKDIR /app
COPY --from=packages /venv /venv
COPY idp ./idp
COPY migrations ./migrations
COPY policy ./policy
COPY alembic.ini ./
COPY --from=assets /build/idp/web/static/built ./idp/web/static/built
RUN /venv/bin/python -m compileall -q idp migrations
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    IDP_HOST=0.0.0.0 \
    IDP_PORT=8000 \
    IDP_DATABASE_URL=sqlite:////data/idp.db
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-m", "idp", "health"]
ENTRYPOINT ["python", "-m", "idp"]
CMD ["serve"]
