# One image for the launcher, the cell and the CLI. Builds with the classic builder and with BuildKit, from one base image
# (scripts/base-image.sh makes it where no registry answers) and package registries. Layers go from what changes rarely to
# what changes often: the program itself is the last one.
ARG BASE=debian:trixie-slim

# hadolint ignore=DL3006
FROM ${BASE} AS collector
# The collector's own builder, with Debian's Go: 1.24, and no other toolchain fetched behind our back.
ENV DEBIAN_FRONTEND=noninteractive \
    GOTOOLCHAIN=local \
    GOFLAGS=-trimpath \
    CGO_ENABLED=0
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates golang-go
RUN GOBIN=/usr/local/bin go install go.opentelemetry.io/collector/cmd/builder@v0.145.0
COPY collector/builder.yaml /build/builder.yaml
RUN builder --config=/build/builder.yaml --ldflags="-s -w" \
    && /build/out/otelcol --version \
    && rm -rf /root/.cache /root/go

# hadolint ignore=DL3006
FROM ${BASE} AS python
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv
COPY requirements/runtime.lock /build/runtime.lock
# pip stays outside the venv it fills. Wheels only: nothing of a dependency runs at build time. Unchecked bytecode, because
# nothing in the image edits a dependency.
RUN python3 -m venv /build/pip \
    && python3 -m venv --without-pip /opt/cleanroom \
    && /build/pip/bin/pip --python /opt/cleanroom/bin/python install --no-cache-dir --no-compile --no-deps \
        --require-hashes --only-binary :all: --requirement /build/runtime.lock \
    && rm -f /opt/cleanroom/bin/[Aa]ctivate* \
    && /opt/cleanroom/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/cleanroom/lib

# hadolint ignore=DL3006
FROM ${BASE} AS kit
# What is mounted into services: a clock of their own, and a locale to vary.
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libfaketime locales python3-minimal
COPY kit /build/kit
RUN mkdir -p /kit/clock /kit/locale \
    && gcc -O2 -Wall -Werror -o /kit/clock/read_clock /build/kit/read_clock.c \
    && python3 /build/kit/adapt_library.py /usr/lib/*/faketime/libfaketimeMT.so.1 /kit/clock/libfaketime.so.1 \
    && localedef -i tr_TR -f UTF-8 --no-archive /kit/locale/tr_TR.utf8 \
    && chmod -R a+rX /kit

# hadolint ignore=DL3006
FROM ${BASE}
# Never unpacked at all: documentation, translations, and tools of docker.io that the nested engine does not call (it runs
# with userland-proxy=false). Python's own packages must be whole while they are configured, so the parts of it that
# nothing imports here go afterwards, in the same layer.
RUN printf 'path-exclude=%s\n' \
        '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*' '/usr/share/lintian/*' \
        '/usr/share/bash-completion/*' '/usr/share/docker.io/*' \
        '/usr/bin/ctr' '/usr/bin/containerd-stress' '/usr/bin/containerd-shim' '/usr/bin/containerd-shim-runc-v1' \
        '/usr/*bin/docker-proxy' \
        > /etc/dpkg/dpkg.cfg.d/cleanroom \
    && export DEBIAN_FRONTEND=noninteractive \
    && apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates docker.io iproute2 iptables nftables procps python3 \
    && apt-get clean \
    && rm -rf /usr/lib/python3.13/idlelib /usr/lib/python3.13/pydoc_data /usr/lib/python3.13/test \
        /usr/lib/python3.13/turtledemo \
        /var/lib/apt/lists/* /var/cache/* /var/log/* /var/lib/dpkg/*-old /tmp/*
COPY --from=collector /build/out/otelcol /usr/local/bin/otelcol
COPY --from=python /opt/cleanroom /opt/cleanroom
COPY --from=kit /kit /opt/cleanroom/kit
ENV PATH=/opt/cleanroom/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1
LABEL cleanroom.image="true" \
      org.opencontainers.image.title="cleanroom-action" \
      org.opencontainers.image.description="Hermetic, seeded, trace-judged tests of container systems" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
ENTRYPOINT ["/opt/cleanroom/bin/python", "-I", "/entrypoint.py"]
COPY LICENSE entrypoint.py post-entrypoint.py /
COPY cleanroom /opt/cleanroom/lib/python3.13/site-packages/cleanroom
# Two names for people inside the container, and bytecode so that the program starts at once.
RUN printf '#!/opt/cleanroom/bin/python -I\nimport sys\nfrom cleanroom.cli.main import main\nsys.exit(main())\n' \
        > /opt/cleanroom/bin/cleanroom \
    && chmod 0755 /opt/cleanroom/bin/cleanroom \
    && /opt/cleanroom/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /opt/cleanroom/lib/python3.13/site-packages/cleanroom
