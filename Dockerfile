# One image for every node: `docker build --build-arg BASE_IMAGE=…` takes any image with Python 3.11 to 3.13 and pip.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /build
RUN python3 -m venv /opt/mynode
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN /opt/mynode/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM ${BASE_IMAGE}
RUN install -d -o 10001 -g 10001 /var/lib/mynode
COPY --from=build /opt/mynode /opt/mynode
ENV PATH=/opt/mynode/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MYNODE_DATA_DIR=/var/lib/mynode \
    MYNODE_LISTEN=0.0.0.0:9601
USER 10001:10001
WORKDIR /var/lib/mynode
VOLUME /var/lib/mynode
EXPOSE 9601
STOPSIGNAL SIGTERM
ENTRYPOINT ["mynode"]
CMD ["node"]
