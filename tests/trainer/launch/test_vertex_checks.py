# SPDX-License-Identifier: MIT
"""What Vertex AI would refuse, or accept and fail, is refused before it is asked."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer.launch import job_file as reader

ACCOUNT = "cxr14@proj-x.iam.gserviceaccount.com"
VERTEX = {"project": "proj-x", "region": "us-central1"}
BOARD = "projects/1/locations/europe-west4/tensorboards/2"

BAD = {
    "zone": ({"region": "us-central1-a"}, "vertex.region is 'us-central1-a', a zone, but must be"),
    "no region": ({"region": "us"}, "vertex.region is 'us'"),
    "global": ({"region": "global"}, "vertex.region is 'global'"),
    "project by name": ({"project": "Proj X!"}, "vertex.project is 'Proj X!'"),
    "short project": ({"project": "p"}, "vertex.project is 'p'"),
    "project that ends so": ({"project": "proj-x-"}, "vertex.project is"),
    "person": ({"service_account": "me@example.com"}, "vertex.service_account is"),
    "account by name": ({"service_account": "cxr14-trainer"}, "vertex.service_account is"),
    "board elsewhere": (
        {"tensorboard": BOARD, "service_account": ACCOUNT},
        "vertex.tensorboard is in europe-west4",
    ),
    "disk": ({"boot_disk_type": "ssd"}, "vertex.boot_disk_type is 'ssd'"),
    "huge disk": ({"boot_disk_gb": 200000}, "vertex.boot_disk_gb is 200000"),
}


@pytest.mark.parametrize(("section", "named"), BAD.values(), ids=BAD.keys())
def test_what_vertex_ai_would_refuse_is_named(
    job_file: Callable[..., str], section: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=r"^\S+job.yaml: ") as caught:
        reader.load(job_file(vertex={**VERTEX, **section}))
    assert named in str(caught.value)


def test_a_gpu_that_only_clusters_have_is_refused(job_file: Callable[..., str]) -> None:
    accelerator = {"type": "NVIDIA_L40S", "count": 1}
    path = job_file(accelerator=accelerator, machine_type="x")
    with pytest.raises(
        ConfigError, match="accelerator.type is NVIDIA_L40S, which Vertex AI does not"
    ):
        reader.load(path)
    assert reader.load(job_file(accelerator=accelerator, machine_type="x", vertex=...))


@pytest.mark.parametrize("project", ["proj-x", "123456789012", "example.com:my-project"])
@pytest.mark.parametrize("region", ["us-central1", "northamerica-northeast2", "europe-west10"])
def test_real_places_pass(job_file: Callable[..., str], project: str, region: str) -> None:
    section = {"project": project, "region": region, "service_account": ACCOUNT}
    assert reader.load(job_file(vertex=section)).vertex is not None
