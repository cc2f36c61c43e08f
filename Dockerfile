# One image for every node: `docker build --build-arg BASE_IMAGE=…` takes any image with Python 3.11 to 3.13 and pip.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /build
RUN python3 -m venv /opt/mynode
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN /opt/mynode/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM ${BASE_IMAGE}
RUN groupadd --gid 10001 mynode \
    && useradd --uid 10001 --gid mynode --no-create-home --shell /usr/sbin/nologin mynode \
    && install --directory --owner mynode --group mynode /var/lib/mynode
COPY --from=build /opt/mynode /opt/mynode
ENV PATH=/opt/mynode/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MYNODE_DATA_DIR=/var/lib/mynode \
    MYNODE_LISTEN=0.0.0.0:9601
USER mynode
WORKDIR /var/lib/mynode
VOLUME /var/lib/mynode
EXPOSE 9601
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=6 \
    CMD ["mynode", "status", "127.0.0.1:9601"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["mynode"]
CMD ["node"]
