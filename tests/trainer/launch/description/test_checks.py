# SPDX-License-Identifier: MIT
"""What a cloud would refuse, or accept and fail or never start, is refused before it is asked."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer.launch.description import job_file as reader

ACCOUNT = "cxr14@proj-x.iam.gserviceaccount.com"
VERTEX = {"project": "proj-x", "region": "us-central1"}
BOARD = "projects/1/locations/europe-west4/tensorboards/2"

BAD_VERTEX = {
    "zone": ({"region": "us-central1-a"}, "vertex.region is 'us-central1-a': use a region such"),
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
    "network by name": ({"network": "mine"}, "vertex.network is 'mine': use projects/NUMBER"),
    "network by project ID": (
        {"network": "projects/proj-x/global/networks/mine"},
        "with the project's number, not its ID",
    ),
    "two ways into a network": (
        {"network": "projects/1/global/networks/a", "network_attachment": "b"},
        "vertex.network_attachment and vertex.network",
    ),
    "attachment elsewhere": (
        {"network_attachment": "projects/p/regions/europe-west4/networkAttachments/a"},
        "vertex.network_attachment is in europe-west4",
    ),
    "key elsewhere": (
        {"kms_key": "projects/p/locations/global/keyRings/a/cryptoKeys/b"},
        "vertex.kms_key is in global, but must be in the job's region",
    ),
    "key by name": ({"kms_key": "b"}, "vertex.kms_key is 'b'"),
    "wait for nothing": ({"max_wait_hours": 3}, "vertex.max_wait_hours is for vertex.flex_start"),
    "negative wait": ({"flex_start": True, "max_wait_hours": -1}, "vertex.max_wait_hours is -1"),
    "disk that Vertex AI does not know": (
        {"boot_disk_type": "pd-balanced"},
        "vertex.boot_disk_type is 'pd-balanced'",
    ),
    "disk": ({"boot_disk_type": "ssd"}, "vertex.boot_disk_type is 'ssd'"),
    "huge disk": ({"boot_disk_gb": 200000}, "vertex.boot_disk_gb is 200000"),
}


@pytest.mark.parametrize(("section", "named"), BAD_VERTEX.values(), ids=BAD_VERTEX.keys())
def test_what_vertex_ai_would_refuse_is_named(
    job_file: Callable[..., str], section: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=r"^\S+job.yaml, line \d+: ") as caught:
        reader.load(job_file(vertex={**VERTEX, **section}))
    assert named in str(caught.value)


FLEXIBLE = {**VERTEX, "flex_start": True}
BAD_FLEX_STARTS = {
    "spot too": ({"spot": True}, "vertex.flex_start and spot are two ways"),
    "another GPU": (
        {
            "accelerator": {"type": "NVIDIA_TESLA_T4", "count": 1},
            "machine_type": "n1-standard-8",
        },
        "vertex.flex_start waits for L4, A100, H100, H200 and B200, not for NVIDIA_TESLA_T4",
    ),
    "no GPU": (
        {"accelerator": ..., "machine_type": "n2-standard-8"},
        "not for machines without accelerator",
    ),
    "too long": ({"timeout_hours": 169}, "timeout_hours is 169, but with vertex.flex_start"),
}


@pytest.mark.parametrize(("changes", "named"), BAD_FLEX_STARTS.values(), ids=BAD_FLEX_STARTS.keys())
def test_what_cannot_be_waited_for_is_named(
    job_file: Callable[..., str], changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=r"^\S+job.yaml, line \d+: ") as caught:
        reader.load(job_file(vertex=FLEXIBLE, **changes))
    assert named in str(caught.value)
    assert reader.load(job_file(vertex=FLEXIBLE, timeout_hours=168)).vertex is not None


def test_machines_that_take_one_kind_of_disk_are_known(job_file: Callable[..., str]) -> None:
    changes: dict[str, Any] = {
        "accelerator": {"type": "NVIDIA_H200_141GB", "count": 8},
        "machine_type": "a3-ultragpu-8g",
    }
    path = job_file(vertex={**VERTEX, "boot_disk_type": "pd-ssd"}, **changes)
    with pytest.raises(ConfigError, match="a3-ultragpu-8g takes hyperdisk-balanced only"):
        reader.load(path)
    for disk in ("hyperdisk-balanced", None):
        assert reader.load(job_file(vertex={**VERTEX, "boot_disk_type": disk}, **changes))


@pytest.mark.parametrize("name", ["cxr14-name", "cxr14-stage", "cxr14-team", "goog-ops"])
def test_labels_by_which_jobs_are_found_cannot_be_set(
    job_file: Callable[..., str], name: str
) -> None:
    with pytest.raises(ConfigError, match=f"labels holds {name}, but names that begin with cxr14-"):
        reader.load(job_file(labels={name: "x"}))


def test_a_gpu_that_only_clusters_have_is_refused(job_file: Callable[..., str]) -> None:
    accelerator = {"type": "NVIDIA_L40S", "count": 1}
    path = job_file(accelerator=accelerator, machine_type="x")
    with pytest.raises(
        ConfigError, match="accelerator.type is NVIDIA_L40S, which Vertex AI does not"
    ):
        reader.load(path)
    for kind in ("NVIDIA_L40S", "NVIDIA_OF_NEXT_YEAR"):
        accelerator["type"] = kind
        assert reader.load(job_file(accelerator=accelerator, machine_type="x", vertex=...))


def test_a_tpu_on_which_vertex_ai_has_no_tensorflow_is_refused(
    job_file: Callable[..., str],
) -> None:
    changes: dict[str, Any] = {
        "accelerator": {"type": "TPU_V6E", "count": 8, "topology": "2x4"},
        "machine_type": "ct6e-standard-8t",
        "args": {"data": "gs://bkt/d", "config.runtime.tpu": "local"},
    }
    with pytest.raises(ConfigError, match="does not run TensorFlow: use TPU_V5E"):
        reader.load(job_file(**changes))
    assert reader.load(job_file(**changes, vertex=...))


MADE_OF = {"images": "gs://bkt/i", "labels": "gs://bkt/l.csv"}
PREPROCESS = {"args": MADE_OF}

BAD_PREPROCESS = {
    "no section's arguments": ({"args": ...}, "preprocess.args"),
    "a word": ({"args": ["run"]}, "preprocess.args holds 'run', but every argument"),
    "output twice": ({"args": {"output": "gs://b/x"}}, "preprocess.args holds --output"),
    "help": ({"args": {"help": True}}, "preprocess.args holds --help"),
    "local images": ({"args": {**MADE_OF, "images": "/d"}}, "preprocess.args holds --images=/d"),
    "local labels": (
        {"args": {**MADE_OF, "source": "csv", "labels": "gs://bkt/l.csv,/d/m.csv.gz"}},
        "preprocess.args holds --labels=gs://bkt/l.csv,/d/m.csv.gz, but the workers see no file",
    ),
    "local settings": ({"args": {**MADE_OF, "config": "nih.yaml"}}, "take preset:NAME, see"),
    "no preset": ({"args": {**MADE_OF, "config": "preset:hin"}}, "preset:hin does not exist"),
    "no labels": ({"args": {"images": "gs://bkt/i"}}, "--labels is missing"),
    "no source": ({"args": {**MADE_OF, "source": "mimic"}}, "mimic"),
    "no setting": ({"args": {**MADE_OF, "config.stored_sise": 3}}, "did you mean stored_size?"),
    "too small": ({"args": {**MADE_OF, "config.stored_size": 3}}, "stored_size is 3: use 16 to"),
    "no flag": ({"args": {**MADE_OF, "lables": "x"}}, "preprocess.args holds --lables=x, which"),
    "Beam's": ({"args": {**MADE_OF, "runner": "DirectRunner"}}, "go to preprocess.beam"),
    "local output": ({"output": "shards"}, "preprocess.output is 'shards'"),
    "image that moves": ({"image": "host/cxr14"}, "preprocess.image is 'host/cxr14': use"),
    "no workers": ({"max_workers": 0}, "preprocess.max_workers is 0"),
    "no disk": ({"disk_gb": 1}, "preprocess.disk_gb is 1"),
    "subnetwork elsewhere": (
        {"subnetwork": "regions/europe-west4/subnetworks/a"},
        "preprocess.subnetwork is in europe-west4, but must be in the job's region",
    ),
    "subnetwork by name": ({"subnetwork": "mine"}, "preprocess.subnetwork is 'mine'"),
}


@pytest.mark.parametrize(("section", "named"), BAD_PREPROCESS.values(), ids=BAD_PREPROCESS.keys())
def test_preprocessing_that_cannot_work_is_named(
    job_file: Callable[..., str], section: dict[str, Any], named: str
) -> None:
    values = {key: value for key, value in {**PREPROCESS, **section}.items() if value is not ...}
    with pytest.raises(ConfigError, match=r"^\S+job.yaml(, line \d+)?: ") as caught:
        reader.load(job_file(preprocess=values))
    assert named in str(caught.value)


def test_preprocessing_writes_where_the_trainer_reads(job_file: Callable[..., str]) -> None:
    job = reader.load(job_file(preprocess=PREPROCESS))
    assert job.preprocess_arguments() == [
        "--images=gs://bkt/i",
        "--labels=gs://bkt/l.csv",
        "--output=gs://my-bucket/shards",
    ]
    assert job.output_of("preprocess") == "gs://my-bucket/shards"
    assert job.output_of("train") == "gs://my-bucket/runs/quick"
    chosen = reader.load(job_file(preprocess={**PREPROCESS, "output": "gs://bkt/other"}))
    assert chosen.preprocess_arguments()[-1] == "--output=gs://bkt/other"


@pytest.mark.parametrize(
    "more",
    [
        {"config": "preset:nih", "allow_missing": True},
        {"config": "gs://bkt/mine.yaml", "config.of_next_year": 1},
        {"source": "csv", "config.table.image_column": "path"},
        {"source": "csv", "labels": "gs://bkt/l.csv,gs://bkt/m.csv.gz", "config": "preset:brax"},
    ],
)
def test_preprocessing_that_can_work_passes(
    job_file: Callable[..., str], more: dict[str, Any]
) -> None:
    assert reader.load(job_file(preprocess={"args": {**MADE_OF, **more}})).preprocess is not None


def test_a_data_set_without_a_folder_is_refused(job_file: Callable[..., str]) -> None:
    path = job_file(args={"mode": "report"}, preprocess=PREPROCESS)
    with pytest.raises(ConfigError, match="preprocess.output is missing"):
        reader.load(path)


@pytest.mark.parametrize("project", ["proj-x", "123456789012", "example.com:my-project"])
@pytest.mark.parametrize("region", ["us-central1", "northamerica-northeast2", "europe-west10"])
def test_real_places_pass(job_file: Callable[..., str], project: str, region: str) -> None:
    section = {"project": project, "region": region, "service_account": ACCOUNT}
    assert reader.load(job_file(vertex=section)).vertex is not None


GPU = "cloud.google.com/gke-accelerator"

BAD_KUBERNETES = {
    "shared memory above memory": (
        {"memory": "16Gi", "shared_memory": "32Gi"},
        "kubernetes.shared_memory is 32Gi, which counts against kubernetes.memory, 16Gi",
    ),
    "all of the memory shared": ({"memory": "8Gi", "shared_memory": "8192Mi"}, "shared_memory is"),
    "other units": ({"memory": "8Gi", "shared_memory": "9G"}, "shared_memory is 9G"),
    "memory in bytes": ({"memory": "32"}, "kubernetes.memory is '32', 32 bytes"),
    "memory in thousandths": ({"memory": "500m"}, "kubernetes.memory is '500m'"),
    "no scratch": ({"scratch": "0"}, "kubernetes.scratch is '0'"),
    "memory in capitals": ({"memory": "16GI"}, "kubernetes.memory is '16GI'"),
    "no cores": ({"cpu": "0"}, "kubernetes.cpu is '0'"),
    "cores in GiB": ({"cpu": "4Gi"}, "kubernetes.cpu is '4Gi'"),
    "account by e-mail": (
        {"service_account": "a@p.iam.gserviceaccount.com"},
        "kubernetes.service_account is",
    ),
    "namespace in capitals": ({"namespace": "Research"}, "kubernetes.namespace is 'Research'"),
    "empty namespace": ({"namespace": ""}, "kubernetes.namespace is ''"),
    "label": ({"node_selector": {"pool": "a b"}}, "kubernetes.node_selector holds pool: 'a b'"),
    "disk below scratch": (
        {"ephemeral_storage": "10Gi"},
        "kubernetes.ephemeral_storage is 10Gi, less than kubernetes.scratch, 20Gi",
    ),
    "priority without a queue": ({"queue_priority": "high"}, "kubernetes.queue is missing"),
    "queue in capitals": ({"queue": "Team"}, "kubernetes.queue is 'Team'"),
    "deleted at once": ({"ttl_seconds": 0}, "kubernetes.ttl_seconds is 0: use 60 to"),
    "never deleted": ({"ttl_seconds": 10**40}, "use 60 to 2147483647 seconds"),
    "never ended": ({"grace_seconds": 10**40}, "use 15 to 86400 seconds"),
    "all of the memory": ({"memory": "9" * 40}, "but must be a quantity such as 8Gi"),
    "all cores": ({"cpu": "9" * 40}, "use a quantity of cores"),
    "value of a taint that is there": (
        {"tolerations": [{"key": "a"}, {"key": "b", "value": "c"}]},
        "kubernetes.tolerations.1.value counts only with operator Equal",
    ),
    "taint without a value": (
        {"tolerations": [{"key": "a", "operator": "Equal"}]},
        "kubernetes.tolerations.0.value is missing",
    ),
    "any key of a value": (
        {"tolerations": [{"operator": "Equal", "value": "a"}]},
        "kubernetes.tolerations.0.key is missing",
    ),
    "effect": ({"tolerations": [{"effect": "NoRun"}]}, "tolerations.0.effect is 'NoRun': use one"),
    "taint": ({"tolerations": [{"key": "a b"}]}, "holds a b=, which no taint can be"),
    "secret without a key": (
        {"secret_env": {"TOKEN": "vault"}},
        "kubernetes.secret_env.TOKEN must read NAME: SECRET/KEY",
    ),
    "secret in capitals": ({"secret_env": {"TOKEN": "Vault/key"}}, "must read NAME: SECRET/KEY"),
    "secret variable": ({"secret_env": {"A-B": "a/b"}}, "kubernetes.secret_env holds 'A-B'"),
    "secret of the platform": (
        {"secret_env": {"TF_CONFIG": "a/b"}},
        "kubernetes.secret_env holds TF_CONFIG, which the platform sets",
    ),
    "all of what": ({"env_from": ["keys"]}, "must read secret/NAME or config_map/NAME"),
    "pulled by": ({"image_pull_secrets": ["A"]}, "kubernetes.image_pull_secrets.0 must be a name"),
    "mapping for a list": ({"env_from": {"secret": "abc"}}, "env_from must be a list, not a"),
    "another GPU": ({"node_selector": {GPU: "nvidia-tesla-t4"}}, "asks for nvidia-tesla-t4, but"),
}


@pytest.mark.parametrize(("section", "named"), BAD_KUBERNETES.values(), ids=BAD_KUBERNETES.keys())
def test_what_cannot_start_is_named(
    job_file: Callable[..., str], section: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=r"^\S+job.yaml, line \d+: ") as caught:
        reader.load(job_file(kubernetes=section))
    assert named in str(caught.value)


def test_nodes_with_a_gpu_have_no_tpu(job_file: Callable[..., str]) -> None:
    path = job_file(
        accelerator={"type": "TPU_V5E", "count": 8, "topology": "2x4"},
        args={"data": "gs://bkt/d", "config.runtime.tpu": "local"},
        machine_type=...,
        vertex=...,
        kubernetes={"node_selector": {GPU: "nvidia-l4"}},
    )
    with pytest.raises(ConfigError, match="asks for nvidia-l4, a GPU, but accelerator.type is TPU"):
        reader.load(path)


@pytest.mark.parametrize(
    "section",
    [
        {"secret_env": {"TOKEN": "hf_REAL"}},
        {"env_from": ["secret/a", "hf_REAL"]},
        {"image_pull_secrets": ["hf_REAL"]},
    ],
)
def test_a_secret_in_the_place_of_its_name_is_not_shown(
    job_file: Callable[..., str], section: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"line \d+: kubernetes\.") as caught:
        reader.load(job_file(kubernetes=section))
    assert "hf_REAL" not in str(caught.value)


def test_nodes_with_a_gpu_take_no_job_without(job_file: Callable[..., str]) -> None:
    section = {"node_selector": {GPU: "nvidia-l4"}}
    path = job_file(accelerator=..., machine_type=..., kubernetes=section)
    with pytest.raises(ConfigError, match="accelerator is missing"):
        reader.load(path)


@pytest.mark.parametrize(
    "section",
    [
        {"cpu": "500m"},
        {"cpu": "7.5", "memory": "1.5Ti", "shared_memory": "64Gi"},
        {"memory": "32G", "shared_memory": "29Gi"},
        {"namespace": "1st-team", "service_account": "trainer.v2"},
        {"node_selector": {GPU: "nvidia-l4", "example.com/pool": "a_B.c"}},
    ],
)
def test_what_can_start_passes(job_file: Callable[..., str], section: dict[str, Any]) -> None:
    assert reader.load(job_file(kubernetes=section)).kubernetes is not None
