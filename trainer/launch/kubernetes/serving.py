# SPDX-License-Identifier: MIT
"""Renders a server for a run's SavedModel: a Deployment, and the Service in front of it.

TensorFlow Serving looks for numbered versions below a base path, and a run has one SavedModel in
a folder of another name, maybe in a store that the server cannot read. So each of its pods begins
with a copy by this project's own image, which reads every store that a run can be in, and refuses
an export that is not whole. This project's own server does both itself, and answers on the same
port; it does not speak gRPC.
"""

from preprocessing.contract.errors import ConfigError
from trainer.launch import manifests
from trainer.launch.description import serve
from trainer.launch.description.job import Job
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.kubernetes import objects
from trainer.launch.manifests import Spec

_SERVER = "server"
_PORTS = {"grpc": 8500, "http": 8501}


def render(job: Job, kubernetes: Kubernetes) -> Spec:
    """Returns a v1 List of the Deployment and the Service.

    Raises:
        ConfigError: the job has no section `serve`, or a name too long for its pods.
    """
    if job.serve is None:
        raise ConfigError("serve is missing: the section says what answers with the model")
    labels = objects.labels(job, "serve", _SERVER)
    metadata = objects.metadata(job, kubernetes, "serve", labels)
    # What may never change of a Deployment: not what a new output would change.
    selector = {key: labels[key] for key in ("app.kubernetes.io/component", "cxr14-name")}
    spec = manifests.fill(
        "serving",
        job=job,
        serve=job.serve,
        kubernetes=kubernetes,
        model=serve.MODEL,
        copy=serve.COPY,
        ready=serve.READY,
        ports={"http": _PORTS["http"]} if job.serve.is_own else _PORTS,
        selector=selector,
        pod_metadata=objects.pod_metadata(kubernetes, labels),
        server=_SERVER,
    )
    kinds = (("apps/v1", "Deployment"), ("v1", "Service"))
    items = [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec[kind]}
        for version, kind in kinds
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}
