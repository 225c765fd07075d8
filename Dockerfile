# Image of cxr14: the trainer, and with --entrypoint=cxr14-preprocess the preprocessing job.
#
#   docker build --build-arg FLAVOR=gpu --tag cxr14:gpu .
#
# FLAVOR names the lock file below configs/requirements/: default (CPU), gpu, tpu, tensorflow-io
# (s3:// paths), preprocess: no TensorFlow, and the entry point that Beam's runners expect, as
# for --sdk_container_image of Dataflow, or serve: cxr14-predict without Beam, which answers over
# HTTP on port 8080, by Vertex AI's contract for containers too. Podman of Debian 12 wants
# --target=flavor-gpu as well.
# To pin the base image, which a release should, take the digest that
# `docker buildx imagetools inspect python:3.11-slim-bookworm` prints and pass it as
# --build-arg BASE=python:3.11-slim-bookworm@sha256:...; likewise BEAM_SDK for preprocess.

ARG BASE=python:3.11-slim-bookworm
# Its version must be that of apache-beam in configs/requirements/preprocess.txt.
ARG BEAM_SDK=apache/beam_python3.11_sdk:2.77.0
ARG FLAVOR=default

FROM ${BEAM_SDK} AS beam

FROM ${BASE} AS build
ARG FLAVOR
WORKDIR /build
# The environment has no pip of its own: the base image's installs into it.
RUN python -m venv --without-pip /opt/venv
# Dependencies come before the sources, so that a change of the sources does not fetch them again.
# The lock names all of them; pip, asked to look for more, fails at one that wants another's extra.
COPY configs/requirements/${FLAVOR}.txt requirements.txt
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes \
    --requirement requirements.txt
COPY setup.py pyproject.toml README.md LICENSE ./
COPY configs configs
COPY preprocessing preprocessing
COPY trainer trainer
# Without isolation the locked setuptools builds it: nothing is fetched that has no hash.
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE} AS runtime
ARG FLAVOR
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cxr14" \
      org.opencontainers.image.description="Trains and evaluates thoracic disease detection on NIH ChestX-ray14 (${FLAVOR}). Research use, not a medical device." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The number is what runAsNonRoot checks and what the rendered Kubernetes Job runs as.
RUN groupadd --gid 10001 cxr14 \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp cxr14
COPY --from=build /opt/venv /opt/venv
# The root file system may be read-only: all scratch space, the cache of downloaded ImageNet weights
# included, lies in /tmp. The NVIDIA variables make the container runtime hand in the driver; Google's
# node images mount it below /usr/local/nvidia instead, where TensorFlow looks only if told so.
ENV PATH=/opt/venv/bin:${PATH} \
    CXR14_REVISION=${REVISION} \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/local/nvidia/lib
WORKDIR /tmp
USER 10001:10001
# Python must be process 1, without a shell before it: it saves a checkpoint when SIGTERM comes.
STOPSIGNAL SIGTERM
ENTRYPOINT ["cxr14-train"]

FROM runtime AS flavor-default
FROM runtime AS flavor-gpu
FROM runtime AS flavor-tpu
# TensorFlow looks for the driver of TPUs only where it is told to; the folder is that of BASE's Python.
ENV NEXT_PLUGGABLE_DEVICE_USE_C_API=true \
    TF_PLUGGABLE_DEVICE_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/libtpu/libtpu.so
FROM runtime AS flavor-tensorflow-io

FROM runtime AS flavor-serve
# Vertex AI sets AIP_HTTP_PORT, which counts more, and AIP_STORAGE_URI; others add --model=DIR.
EXPOSE 8080
ENTRYPOINT ["cxr14-predict", "--serve", "--host=0.0.0.0", "--port=8080"]

FROM runtime AS flavor-preprocess
COPY --from=beam /opt/apache/beam /opt/apache/beam
# Beam's start program would otherwise make an environment of its own, without these packages.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
# Dataflow hands in folders that belong to root, and the start program writes to them. A Kubernetes
# Job names the user itself, as its entry point.
# hadolint ignore=DL3002
USER 0:0
ENTRYPOINT ["/opt/apache/beam/boot"]

# hadolint ignore=DL3006
FROM flavor-${FLAVOR}
