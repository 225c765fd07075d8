# SPDX-License-Identifier: MIT
"""The section `serve` of a job file: how the exported model answers requests."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, setting
from trainer.launch.description import patterns

# What the server calls the model, and where each pod has its copy.
MODEL = "cxr14"
COPY = f"/models/{MODEL}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Serve:
    """TensorFlow Serving with the run's SavedModel: `--stage=serve`, on Kubernetes."""

    image: str = setting(
        "tensorflow/serving:2.21.0", FREE, pattern=patterns.IMAGE, form=patterns.IMAGE_FORM
    )
    """Container image with `tensorflow_model_server`, of the TensorFlow that trained or newer."""
    fetch_image: str | None = setting(None, FREE, pattern=patterns.IMAGE, form=patterns.IMAGE_FORM)
    """Image of this project that copies the model to where the server looks; none takes the job's.
    One without CUDA, built with FLAVOR=default or preprocess, is there sooner."""
    model: str | None = setting(None, FREE)
    """Folder of the SavedModel; none takes saved_model below `output`."""
    replicas: int = setting(1, FREE, ge=1, le=10_000)
    """Number of pods, each with a copy of the model of its own."""
    cpu: str = setting("2", FREE, pattern=patterns.CPU, form=patterns.CPU_FORM)
    """CPU request of each pod, a Kubernetes quantity."""
    memory: str = setting("4Gi", FREE)
    """Memory request and limit of each pod."""
    scratch: str = setting("2Gi", FREE)
    """Size limit of the copy of the model, on the node's disk."""
