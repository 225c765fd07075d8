# SPDX-License-Identifier: MIT
"""The section `serve` of a job file: how the exported model answers requests."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, setting
from trainer.launch.description import patterns

# What the server calls the model, and where each pod of TensorFlow Serving has its copy.
MODEL = "cxr14"
COPY = f"/models/{MODEL}"
# Where both servers say that they are ready, and answer.
READY = f"/v1/models/{MODEL}"
PREDICT = f"{READY}:predict"
TENSORFLOW_SERVING, OWN = "tensorflow_serving", "cxr14"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Serve:
    """What answers with the run's SavedModel: `--stage=serve` on Kubernetes, `upload` on Vertex."""

    server: str = setting(TENSORFLOW_SERVING, FREE, choices=(TENSORFLOW_SERVING, OWN))
    """`tensorflow_serving` takes PNG and JPEG and speaks gRPC too; on Vertex AI it is Google's
    image. `cxr14` is `cxr14-predict --serve` on either: DICOM too, and a page."""
    image: str | None = setting(None, FREE, pattern=patterns.IMAGE, form=patterns.IMAGE_FORM)
    """Container image of the server; none takes tensorflow/serving:2.21.0, and another must be of
    the TensorFlow that trained or newer. For `cxr14`, the one that you built with FLAVOR=serve."""
    fetch_image: str | None = setting(None, FREE, pattern=patterns.IMAGE, form=patterns.IMAGE_FORM)
    """Image of this project that copies the model for TensorFlow Serving; none takes the job's. One
    without CUDA, built with FLAVOR=default or preprocess, is there sooner."""
    model: str | None = setting(None, FREE)
    """Folder of the SavedModel; none takes saved_model below `output`."""
    replicas: int = setting(1, FREE, ge=1, le=10_000)
    """Number of pods, each with the model."""
    cpu: str = setting("2", FREE, pattern=patterns.CPU, form=patterns.CPU_FORM)
    """CPU request of each pod, a Kubernetes quantity."""
    memory: str = setting("4Gi", FREE)
    """Memory request and limit of each pod."""
    scratch: str = setting("2Gi", FREE)
    """Size limit of the copy of the model, on the node's disk."""

    @property
    def is_own(self) -> bool:
        """Whether this project's image answers."""
        return self.server == OWN

    @property
    def server_image(self) -> str:
        """Container image of the pods."""
        return self.image or "tensorflow/serving:2.21.0"
