# SPDX-License-Identifier: MIT
"""The command that sends preprocessing to Dataflow is one that cxr14-preprocess and Beam take."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.invocation import flags
from trainer.launch import task
from trainer.launch.description import job_file as reader
from trainer.launch.vertex import dataflow, render

PREPROCESS = {
    "image": "registry.example.com/cxr14/preprocess:1.0",
    "args": {"images": "gs://my-bucket/nih", "labels": "gs://my-bucket/l.csv", "source": "nih"},
}
ACCOUNT = "me@proj-x.iam.gserviceaccount.com"
KEY = "projects/proj-x/locations/us-central1/keyRings/a/cryptoKeys/b"


def command(path: str) -> list[str]:
    found: list[str] = render.render(reader.load(path), "preprocess")["command"]
    return found


def test_the_data_set_is_made_where_the_trainer_reads(job_file: Callable[..., str]) -> None:
    program, *arguments = command(job_file(preprocess=PREPROCESS))
    inputs, _, _ = flags.parse([program, *arguments])
    assert program == dataflow.PROGRAM == "cxr14-preprocess"
    assert (inputs.images, inputs.output) == ("gs://my-bucket/nih", "gs://my-bucket/shards")
    # Which to cxr14-preprocess is not one of the labels of the job.
    assert inputs.labels == "gs://my-bucket/l.csv"


@pytest.fixture
def full(job_file: Callable[..., str]) -> list[str]:
    """A command in which every key of the section says something."""
    section = {
        **PREPROCESS,
        "machine_type": "n2-standard-8",
        "max_workers": 7,
        "disk_gb": 99,
        "subnetwork": "regions/us-central1/subnetworks/mine",
        "beam": {"flexrs_goal": "COST_OPTIMIZED", "dataflow_service_options": "a=b"},
    }
    vertex = {"project": "proj-x", "region": "us-central1", "service_account": ACCOUNT}
    return command(
        job_file(preprocess=section, vertex={**vertex, "kms_key": KEY}, labels={"team": "chest"})
    )


def test_beam_knows_every_flag_and_what_it_means(full: list[str]) -> None:
    pytest.importorskip("apache_beam.runners.dataflow.internal.apiclient")
    from apache_beam.options import pipeline_options as beam

    from preprocessing.workers import runner

    _, _, left = flags.parse(full)
    # It refuses what Beam does not know; with --dry_run it does not ask a bucket about itself.
    chosen = runner.options([*left, "--dry_run=true"], images=1000)
    cloud = chosen.view_as(beam.GoogleCloudOptions)
    worker = chosen.view_as(beam.WorkerOptions)
    assert chosen.view_as(beam.StandardOptions).runner == "DataflowRunner"
    assert (cloud.project, cloud.region, cloud.job_name) == ("proj-x", "us-central1", "quick-run")
    assert cloud.temp_location == "gs://my-bucket/dataflow/quick-run/temp"
    assert cloud.staging_location == "gs://my-bucket/dataflow/quick-run/staging"
    assert (cloud.service_account_email, cloud.dataflow_kms_key) == (ACCOUNT, KEY)
    assert cloud.flexrs_goal == "COST_OPTIMIZED"
    assert (worker.machine_type, worker.max_num_workers, worker.disk_size_gb) == (
        "n2-standard-8",
        7,
        99,
    )
    assert worker.sdk_container_image == PREPROCESS["image"]
    assert worker.subnetwork == "regions/us-central1/subnetworks/mine"
    assert worker.use_public_ips is False
    assert chosen.view_as(beam.SetupOptions).sdk_location == "container"
    assert chosen.view_as(beam.DebugOptions).experiments == ["use_runner_v2"]
    labels = dict(label.split("=") for label in cloud.labels)
    assert labels.items() >= {"team": "chest", "app": "cxr14", "cxr14-stage": "preprocess"}.items()


def test_its_output_is_the_label_not_that_of_training(job_file: Callable[..., str]) -> None:
    job = reader.load(job_file(preprocess=PREPROCESS))
    names = render.labels(job, "preprocess"), render.labels(job, "train")
    assert names[0]["cxr14-name"] == names[1]["cxr14-name"] == "quick-run"
    assert names[0]["cxr14-output"] != names[1]["cxr14-output"]


def test_addresses_on_the_internet_and_a_default_machine_can_be_had(
    job_file: Callable[..., str],
) -> None:
    text = " ".join(command(job_file(preprocess={**PREPROCESS, "public_ips": True})))
    assert "public_ips" not in text and "machine_type" not in text and "kms" not in text


@pytest.mark.parametrize(
    ("section", "named"),
    [
        (None, "preprocess is missing"),
        ({**PREPROCESS, "image": None}, "preprocess.image is missing"),
        (
            {**PREPROCESS, "output": "s3://b-1/x"},
            "preprocess.output names s3://b-1/x, but Dataflow",
        ),
        ({**PREPROCESS, "beam": {"region": "x"}}, "preprocess.beam holds region, which follows"),
        ({**PREPROCESS, "beam": {"labels": "a=b"}}, "preprocess.beam holds labels"),
        ({**PREPROCESS, "beam": {"output": "gs://b-1/x"}}, "preprocess.beam holds 'output'"),
        ({**PREPROCESS, "beam": {"images": "gs://b-1/x"}}, "preprocess.beam holds 'images'"),
        ({**PREPROCESS, "beam": {"config": "x"}}, "preprocess.beam holds 'config'"),
        ({**PREPROCESS, "beam": {"config.stored_size": 64}}, "holds 'config.stored_size'"),
        ({**PREPROCESS, "beam": {"log_format": "json"}}, "holds 'log_format', which is not a flag"),
        ({**PREPROCESS, "beam": {"nocheck_md5": True}}, "holds 'nocheck_md5'"),
        ({**PREPROCESS, "beam": {"a b": "c"}}, "preprocess.beam holds 'a b'"),
    ],
)
def test_what_dataflow_cannot_do_without_is_named(
    job_file: Callable[..., str], section: Any, named: str
) -> None:
    job = reader.load(job_file(preprocess=section))
    with pytest.raises(ConfigError, match=named):
        render.render(job, "preprocess")


def test_vertex_ai_serves_no_job(job_file: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="--stage=serve is for kubernetes"):
        render.render(reader.load(job_file()), "serve")


def test_the_shipped_command_is_the_golden_text(
    capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]
) -> None:
    path = pathlib.Path(__file__).parents[4] / "configs/jobs/vertex_gpu1.yaml"
    argv = ["cxr14-launch", "vertex", f"--job={path}", "--stage=preprocess", "--dry_run"]
    assert task.run(argv) == 0
    printed = capsys.readouterr().out
    golden("launch_vertex_gpu1_preprocess.yaml", printed)
    inputs, config, _ = flags.parse(yaml.safe_load(printed)["command"])
    assert (inputs.source, config.stored_size) == ("nih", 256)
    assert all(getattr(inputs, name).startswith("gs://BUCKET/") for name in ("images", "boxes"))
