# SPDX-License-Identifier: MIT
"""What a job file asks of a cluster beside GPUs reaches every pod that needs it, and no other."""

from collections.abc import Callable
from typing import Any

import pytest
from apache_beam.options.pipeline_options import DirectOptions
from cxr14_fields import check
from cxr14_schemas import validate

from preprocessing.contract.invocation import flags
from preprocessing.workers import runner
from trainer.launch.description import job_file as reader
from trainer.launch.kubernetes import render

VOLUMES = [
    {"name": "runs", "mount": "/mnt/runs", "claim": "cxr14-runs"},
    {"name": "share", "mount": "/mnt/share", "nfs": "10.0.0.2:/a/b", "read_only": True},
    {"name": "data", "mount": "/mnt/data", "bucket": "my-data", "options": "only-dir=nih"},
]
SECTION: dict[str, Any] = {
    "service_account": "trainer",
    "node_selector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
    "tolerations": [
        {"key": "team", "operator": "Equal", "value": "chest", "effect": "NoSchedule"},
        {"key": "maintenance"},
    ],
    "priority_class": "batch",
    "ephemeral_storage": "30Gi",
    "volumes": VOLUMES,
    "secret_env": {"TOKEN": "vault/token.txt"},
    "env_from": ["secret/keys", "config_map/proxy"],
    "image_pull_secrets": ["registry"],
}
TPU = {"type": "TPU_V5E", "count": 8, "topology": "2x4"}
PREPROCESS: dict[str, Any] = {
    "args": {
        "images": "gs://my-bucket/images",
        "labels": "gs://my-bucket/labels.csv",
        "train_val_list": "gs://my-bucket/train_val.txt",
        "test_list": "gs://my-bucket/test.txt",
    },
    "image": "registry.example.com/preprocess:1.0",
    "machine_type": "n2-standard-16",
    "cpu": "15500m",
    "memory": "40Gi",
    "disk_gb": 99,
}
STAGES = {
    "preprocess": {"args": {"images": "/mnt/data/x", "labels": "/mnt/share/y.csv"}},
    "serve": {},
}


@pytest.fixture
def rendered(job_file: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """Renders a stage of a job with all that the section can hold."""

    def make(stage: str = "train", section: dict[str, Any] = SECTION, **changes: Any) -> Any:
        stages = STAGES if section is SECTION else {}
        values = {"vertex": ..., "kubernetes": section, **stages, **changes}
        manifest = render.render(reader.load(job_file(**values)), stage)
        validate(manifest)
        if stage != "serve":
            check(manifest)  # the tests that run manifests leave nothing of it out
        return manifest

    return make


def render_file(path: str, stage: str) -> dict[str, Any]:
    return render.render(reader.load(path), stage)


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest["kind"] == "JobSet":
        manifest = manifest["spec"]["replicatedJobs"][0]["template"]
    spec: dict[str, Any] = manifest.get("items", [manifest])[0]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("replicas", [1, 2])
def test_kueue_finds_a_suspended_job_by_its_labels(
    rendered: Callable[..., dict[str, Any]], replicas: int
) -> None:
    section = {"queue": "team", "queue_priority": "high"}
    manifest = rendered(section=section, replicas=replicas)
    labels = manifest["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "team"
    assert labels["kueue.x-k8s.io/priority-class"] == "high"
    assert manifest["spec"]["suspend"] is True
    assert str(manifest).count("suspend") == 1  # a JobSet suspends its Jobs itself
    assert "kueue" not in str(pod(manifest))
    assert "suspend" not in rendered(section={}, replicas=replicas)["spec"]


@pytest.mark.parametrize("replicas", [1, 2])
def test_what_is_over_is_deleted_whole(
    rendered: Callable[..., dict[str, Any]], replicas: int
) -> None:
    manifest = rendered(section={"ttl_seconds": 3600}, replicas=replicas)
    assert manifest["spec"]["ttlSecondsAfterFinished"] == 3600
    assert str(manifest).count("ttlSecondsAfterFinished") == 1  # not a Job of a JobSet that goes on


@pytest.mark.parametrize("stage", ["train", "preprocess"])
def test_a_pod_has_what_the_section_names(
    rendered: Callable[..., dict[str, Any]], stage: str
) -> None:
    spec = pod(rendered(stage))
    [container] = spec["containers"]
    assert spec["priorityClassName"] == "batch" and spec["serviceAccountName"] == "trainer"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["tolerations"][-2:] == [
        {"key": "team", "operator": "Equal", "value": "chest", "effect": "NoSchedule"},
        {"key": "maintenance", "operator": "Exists"},
    ]
    assert container["envFrom"] == [
        {"secretRef": {"name": "keys"}},
        {"configMapRef": {"name": "proxy"}},
    ]
    secret = {"secretKeyRef": {"name": "vault", "key": "token.txt"}}
    assert container["env"] == [{"name": "TOKEN", "valueFrom": secret}]
    disk = {"train": "30Gi", "preprocess": "51Gi"}[stage]
    for part in ("requests", "limits"):
        assert container["resources"][part]["ephemeral-storage"] == disk


@pytest.mark.parametrize("stage", ["train", "preprocess"])
def test_volumes_are_mounted_where_paths_expect_them(
    rendered: Callable[..., dict[str, Any]], stage: str
) -> None:
    manifest = rendered(stage)
    spec = pod(manifest)
    mounts = {m["mountPath"]: m for m in spec["containers"][0]["volumeMounts"]}
    sources = {volume["name"]: volume for volume in spec["volumes"]}
    assert [mounts[v["mount"]]["name"] for v in VOLUMES] == ["runs", "share", "data"]
    assert [mounts[v["mount"]]["readOnly"] for v in VOLUMES] == [False, True, False]
    assert sources["runs"]["persistentVolumeClaim"]["claimName"] == "cxr14-runs"
    assert sources["share"]["nfs"] == {"server": "10.0.0.2", "path": "/a/b", "readOnly": True}
    assert sources["data"]["csi"] == {
        "driver": "gcsfuse.csi.storage.gke.io",
        "readOnly": False,
        "volumeAttributes": {
            "bucketName": "my-data",
            "mountOptions": "implicit-dirs,uid=10001,gid=10001,only-dir=nih",
        },
    }
    annotations = manifest["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"gke-gcsfuse/volumes": "true"}


def test_no_other_volume_asks_for_the_driver_of_buckets(
    rendered: Callable[..., dict[str, Any]],
) -> None:
    manifest = rendered(section={"volumes": VOLUMES[:2]})
    assert "annotations" not in manifest["spec"]["template"]["metadata"]


def test_chips_of_a_tpu_are_requested_and_limited(
    rendered: Callable[..., dict[str, Any]],
) -> None:
    args = {"data": "gs://my-bucket/x", "config.runtime.tpu": "local"}
    changes = {"accelerator": TPU, "machine_type": "ct5lp-hightpu-8t", "args": args}
    spec = pod(rendered(section={}, **changes))
    resources = spec["containers"][0]["resources"]
    assert resources["requests"]["google.com/tpu"] == resources["limits"]["google.com/tpu"] == "8"
    assert spec["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "2x4",
        "node.kubernetes.io/instance-type": "ct5lp-hightpu-8t",
    }
    assert [one["key"] for one in spec["tolerations"]] == ["google.com/tpu"]


@pytest.mark.parametrize("stage", ["train", "preprocess", "serve"])
def test_no_pod_is_privileged_or_may_talk_to_the_cluster(
    rendered: Callable[..., dict[str, Any]], stage: str
) -> None:
    spec = pod(rendered(stage))
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), 10001),
        "fsGroupChangePolicy": "OnRootMismatch",  # not every file of a large volume, each time
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_beam_uses_the_cores_of_the_pod_and_not_of_the_node(job_file: Callable[..., str]) -> None:
    manifest = render_file(job_file(preprocess=PREPROCESS), "preprocess")
    [container] = pod(manifest)["containers"]
    assert container["command"] == ["cxr14-preprocess"]
    assert container["image"] == PREPROCESS["image"]
    inputs, _, beams = flags.parse([*container["command"], *container["args"]])
    assert (inputs.images, inputs.output) == ("gs://my-bucket/images", "gs://my-bucket/shards")
    direct = runner.options(beams, images=1000).view_as(DirectOptions)
    assert (direct.direct_num_workers, direct.direct_running_mode) == (15, "multi_processing")
    assert container["resources"]["requests"] == {"cpu": "15500m", "memory": "40Gi"}


@pytest.mark.parametrize(("cpu", "processes"), [("500m", 1), ("1", 1), ("7.9", 7), ("64", 64)])
def test_a_pod_has_at_least_one_process(
    job_file: Callable[..., str], cpu: str, processes: int
) -> None:
    manifest = render_file(job_file(preprocess={**PREPROCESS, "cpu": cpu}), "preprocess")
    assert f"--direct_num_workers={processes}" in pod(manifest)["containers"][0]["args"]


def test_preprocessing_keeps_off_the_nodes_with_gpus(job_file: Callable[..., str]) -> None:
    kubernetes = {"node_selector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}
    path = job_file(preprocess=PREPROCESS, kubernetes=kubernetes, spot=True)
    spec = pod(render_file(path, "preprocess"))
    assert spec["nodeSelector"] == {
        "node.kubernetes.io/instance-type": "n2-standard-16",
        "cloud.google.com/gke-spot": "true",
    }
    assert [one["key"] for one in spec["tolerations"]] == ["cloud.google.com/gke-spot"]
    assert "nvidia.com/gpu" not in str(spec)
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "99Gi"}}]


def test_preprocessing_fails_and_restarts_as_training_does(job_file: Callable[..., str]) -> None:
    path = job_file(preprocess=PREPROCESS, restarts=3, timeout_hours=2)
    train, preprocess = render_file(path, "train"), render_file(path, "preprocess")
    text = str(preprocess["spec"]["podFailurePolicy"]).replace("preprocessing", "trainer")
    assert text == str(train["spec"]["podFailurePolicy"])
    for key in ("backoffLimit", "activeDeadlineSeconds", "podReplacementPolicy"):
        assert preprocess["spec"][key] == train["spec"][key]
