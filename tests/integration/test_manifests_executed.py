# SPDX-License-Identifier: MIT
"""What the shipped job files render is executed here, and pods of it are killed, stopped and lost.

Each pod has a network, a root folder and rights of its own, and the manifest's own policies decide
what follows. A network of three convolutions trains, on CPUs.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cxr14_executed import BATCH, Execution
from cxr14_pods import Machine, RunningPod
from cxr14_results import different, tensors
from cxr14_workers import LITTER, STOPPED, litter, newest_step

from trainer.launch import task

pytestmark = [pytest.mark.slow, pytest.mark.distributed]
_LONG = pytest.mark.skipif(
    not os.environ.get("CXR14_LONG"),
    reason="more that happens to pods: CXR14_LONG=1 runs it, in some ten minutes",
)

ROOT = pathlib.Path(__file__).parents[2]
_KILLED = 128 + signal.SIGKILL
_PATIENCE = 300  # seconds to a moment, or to the end
_NOTICED = 60  # seconds in which both ends of a cut line have to notice it
_JOBSET, _JOB = "kubernetes_jobset", "kubernetes_gpu1"
_KUEUE, _MOUNTED = "kubernetes_kueue", "kubernetes_mounted"
_SMALL = {
    "config.runtime.precision": "float32",
    "config.data.global_batch_size": 12,
    "config.data.image_size": 32,
    "config.model.weights": "none",
    "config.model.hidden_units": 8,
    "config.model.batch_norm_momentum": 0.9,
    "config.optimizer.name": "sgd",
    "config.optimizer.learning_rate": 0.05,
    "config.train.epochs": 4,
    "config.train.steps_per_call": 1,
    "config.train.checkpoint_every_steps": 1,
    "config.evaluation.bootstrap_resamples": 20,
    "config.evaluation.gallery": 0,
}

Manifest = dict[str, Any]
Send = Callable[..., tuple[Execution, pathlib.Path]]


def job_file(shipped: str, args: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns a shipped job file, small, with two pods where it has several, without the GPU."""
    job = yaml.safe_load((ROOT / "configs" / "jobs" / f"{shipped}.yaml").read_text())
    job["args"] |= {**_SMALL, **args}
    job |= {**({"replicas": 2} if "replicas" in job else {}), **changes}
    if "accelerator" not in changes:
        del job["accelerator"], job["args"]["config.runtime.accelerator"]
    job["kubernetes"].pop("node_selector", None)
    return job


def rendered(path: pathlib.Path) -> Manifest:
    """Returns what the launcher prints for a job file."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert task.run(["cxr14-launch", "kubernetes", f"--job={path}", "--dry_run"]) == 0
    return yaml.safe_load(printed.getvalue())


@pytest.fixture(scope="module")
def send(
    execute: Callable[..., Execution],
    machine: Machine,
    preprocessed: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Send:
    """Renders a job file and sends it; returns the execution and the folder of the run."""
    bucket, volume = machine.bucket("BUCKET"), machine.volume("cxr14-runs", 10001)
    shutil.copytree(preprocessed, bucket / "chestxray14" / "256")
    secrets = {"cxr14-proxy": {"url": "http://127.0.0.1:9"}, "cxr14-network": {"NO_PROXY": "*"}}

    def sent(
        name: str,
        *,
        shipped: str = _JOBSET,
        late: float = 0.0,
        batch: float = BATCH,
        args: dict[str, Any] | None = None,
        **changes: Any,
    ) -> tuple[Execution, pathlib.Path]:
        folder = "/mnt/runs" if shipped == _MOUNTED else "gs://BUCKET/runs"
        path = tmp_path_factory.mktemp("jobs") / "job.yaml"
        job = job_file(shipped, args or {}, output=f"{folder}/{name}", **changes)
        path.write_text(yaml.safe_dump(job))
        program = (sys.executable, "-m", "tests.cluster.small_backbone", f"--late={late}")
        execution = execute(rendered(path), batch, program=program, secrets=secrets)
        return execution, (volume if shipped == _MOUNTED else bucket / "runs") / name

    return sent


@pytest.fixture(scope="module")
def undisturbed(send: Send) -> tuple[Execution, pathlib.Path]:
    """The run of two pods to which nothing happens, with all its stages."""
    execution, output = send("undisturbed")
    execution.finish(_PATIENCE)
    return execution, output


def assert_same_weights(output: pathlib.Path, expected: pathlib.Path) -> None:
    for folder in ("checkpoints", "checkpoints/best"):
        assert newest_step(output, folder) == newest_step(expected, folder) > 0
        assert not different(tensors(output, folder), tensors(expected, folder))
    assert not litter(output)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        pairs = [(f"{path}.{key}", item) for key, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        pairs = [(f"{path}.{item.get('name', at)}", item) for at, item in enumerate(value)]
    else:
        return {path: value}
    return {name: leaf for key, item in pairs for name, leaf in flat(item, key).items()}


@pytest.mark.parametrize(
    ("shipped", "more"),
    [
        (_JOBSET, {"completions", "parallelism", "env.CXR14_WORKERS.value", "nodeSelector"}),
        (_JOB, {"nodeSelector"}),
        (_KUEUE, {"nodeSelector"}),
        (_MOUNTED, set[str]()),
    ],
)
def test_what_is_executed_differs_from_what_is_shipped_in_size_alone(
    tmp_path: pathlib.Path, shipped: str, more: set[str]
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job_file(shipped, {})))
    small, real = flat(rendered(path)), flat(rendered(ROOT / f"configs/jobs/{shipped}.yaml"))
    keys = {key for key in small.keys() | real.keys() if small.get(key) != real.get(key)}
    names = {re.sub(r".*spec\.(containers\.trainer\.)?", "", key) for key in keys}
    names = {re.sub(r"(nodeSelector|tolerations)\..*", r"\1", name) for name in names}
    assert names == {"args", "resources.limits.nvidia.com/gpu", "tolerations", *more}


def test_two_pods_train_evaluate_and_export_as_the_manifest_says(
    undisturbed: tuple[Execution, pathlib.Path],
) -> None:
    execution, output = undisturbed
    assert execution.condition.type == "Completed", execution.text()
    assert execution.codes == [0, 0] and execution.restarts == (0, 0)
    note = json.loads((output / "training.json").read_text())
    # They have found each other by the names of the JobSet alone.
    assert (note["strategy"], note["replicas"]) == ("multi_worker", 2)
    assert list(output.glob("**/saved_model.pb"))
    assert {path.stat().st_uid for path in output.rglob("*")} == {10001}


def test_a_killed_worker_counts_and_the_run_ends_as_if_nothing_had_happened(
    send: Send, undisturbed: tuple[Execution, pathlib.Path]
) -> None:
    # The controllers look late. Its peer has lost it by then, but must not have ended: where both
    # have, the code of the peer decides, and nothing counts.
    execution, output = send("killed", late=0.7, batch=4.0, args={"mode": "train"})
    execution.until(lambda: newest_step(output) >= 2, _PATIENCE)
    execution.pod(1).kill()
    assert execution.finish(_PATIENCE).type == "Completed", execution.text()
    assert execution.codes == [STOPPED, _KILLED, 0, 0], execution.text()
    assert execution.restarts == (1, 1), execution.text()
    assert_same_weights(output, undisturbed[1])


def test_what_no_restart_can_help_is_not_tried_again(send: Send) -> None:
    execution, _ = send("hopeless", args={"data": "gs://BUCKET/nowhere"})
    assert execution.finish(_PATIENCE).reason == "FailJobSetFailurePolicyAction", execution.text()
    assert execution.restarts == (0, 0) and len(execution.pods) == 2
    assert "index 0" in "\n".join(execution.events)


@_LONG
def test_sigterm_to_one_pod_reaches_the_other_and_costs_nothing(
    send: Send, undisturbed: tuple[Execution, pathlib.Path]
) -> None:
    execution, output = send("stopped", late=0.7, args={"mode": "train"})
    execution.until(lambda: newest_step(output) >= 2, _PATIENCE)
    execution.pod(1).signal(signal.SIGTERM)
    execution.until(lambda: execution.codes == [STOPPED, STOPPED], 15, controlled=False)
    assert execution.finish(_PATIENCE).type == "Completed", execution.text()
    assert execution.codes[2:] == [0, 0] and execution.restarts == (1, 0), execution.text()
    assert_same_weights(output, undisturbed[1])


@_LONG
def test_both_ends_of_a_cut_line_notice_it_and_go_on_when_they_are_started_again(
    send: Send, undisturbed: tuple[Execution, pathlib.Path]
) -> None:
    execution, output = send("cut", late=0.7, args={"mode": "train"})
    execution.until(lambda: newest_step(output) >= 4, _PATIENCE)
    execution.pod(1).cut()
    # The cluster does not notice it, nor does anybody stop them meanwhile.
    execution.until(lambda: all("lost a peer" in pod.text() for pod in execution.pods), _NOTICED,
                    controlled=False)  # fmt: skip
    execution.until(lambda: execution.codes == [STOPPED, STOPPED], 15, controlled=False)
    cut_at = newest_step(output)
    assert execution.finish(_PATIENCE).type == "Completed", execution.text()
    assert execution.codes[2:] == [0, 0] and execution.restarts == (1, 0), execution.text()
    assert "going on from /gs/BUCKET/runs/cut/checkpoints/ckpt-" in execution.pods[2].text()
    assert json.loads((output / "training.json").read_text())["steps"] > cut_at
    assert_same_weights(output, undisturbed[1])


def unfinished(output: pathlib.Path) -> bool:
    """Whether a checkpoint is being written: files of it are there, and its index is not."""
    newest = newest_step(output)
    names = os.listdir(output / "checkpoints") if newest else []
    steps = [int(found[1]) for name in names if (found := re.match(r"ckpt-(\d+)\.", name))]
    return max(steps, default=0) > newest or any(LITTER.search(name) for name in names)


@_LONG
def test_a_node_lost_while_it_writes_a_checkpoint_costs_only_that(
    send: Send, undisturbed: tuple[Execution, pathlib.Path]
) -> None:
    execution, output = send("lost", args={"mode": "train"})
    execution.until(lambda: newest_step(output) >= 1, _PATIENCE)
    chief = execution.pod(0)
    while True:
        assert execution.condition is None, f"never caught writing\n{execution.text()}"
        execution.step()
        if unfinished(output):
            chief.signal(signal.SIGSTOP)
            time.sleep(0.1)
            if unfinished(output):
                break
            chief.signal(signal.SIGCONT)
    torn_at = newest_step(output)
    chief.lose_node(5)
    assert execution.finish(_PATIENCE).type == "Completed", execution.text()
    assert execution.codes == [None, STOPPED, 0, 0], execution.text()
    assert execution.restarts == (1, 0), execution.text()
    assert "Failed DisruptionTarget" in execution.text()
    assert (
        f"going on from /gs/BUCKET/runs/lost/checkpoints/ckpt-{torn_at}" in execution.pods[2].text()
    )
    assert_same_weights(output, undisturbed[1])


@_LONG
def test_a_spent_budget_ends_a_jobset_and_sending_it_again_goes_on(
    send: Send, undisturbed: tuple[Execution, pathlib.Path]
) -> None:
    execution, output = send("spent", late=0.7, restarts=1, args={"mode": "train"})
    for step in (2, 4):
        execution.until(lambda least=step: newest_step(output) >= least, _PATIENCE)
        execution.pod(1).kill()
        execution.until(lambda: _KILLED in execution.codes[-2:], 15)
    assert execution.finish(_PATIENCE).reason == "ReachedMaxRestarts", execution.text()
    assert execution.codes == [STOPPED, _KILLED] * 2 and execution.restarts == (1, 1)
    again, _ = send("spent", restarts=1, args={"mode": "train"})
    assert again.finish(_PATIENCE).type == "Completed", again.text()
    assert "going on from" in again.pods[0].text()
    assert_same_weights(output, undisturbed[1])


@_LONG
def test_a_deadline_ends_a_jobset_for_good(send: Send) -> None:
    execution, _ = send("late", late=90, timeout_hours=0.017)
    began = execution.began
    assert execution.finish(_PATIENCE).reason == "FailJobSetFailurePolicyAction"
    assert any("Failed DeadlineExceeded" in line for line in execution.events), execution.text()
    assert execution.codes == [STOPPED, STOPPED], execution.text()
    assert 61 <= execution.pods[0].began + execution.pods[0].seconds - began < 61 + 15


@_LONG
def test_a_single_pod_is_replaced_and_only_its_crash_counts(send: Send) -> None:
    args = {"mode": "train", "config.train.epochs": 8}
    calm, expected = send("calm", shipped=_MOUNTED, args=args)
    assert calm.finish(_PATIENCE).type == "Complete", calm.text()
    execution, output = send("moved", shipped=_KUEUE, late=0.7, restarts=1, args=args)
    happenings: tuple[Callable[[RunningPod], None], ...] = (
        lambda pod: pod.evict(),
        lambda pod: pod.signal(signal.SIGTERM),
        lambda pod: pod.kill(),
        lambda pod: execution.suspend(True),
    )
    execution.step()
    assert not execution.pods  # it waits in the queue
    execution.suspend(False)
    for count, happens in enumerate(happenings, 1):
        past = newest_step(output)
        execution.until(lambda least=past: newest_step(output) > least, _PATIENCE)
        happens(execution.pod())
        execution.until(lambda ended=count: None not in execution.codes[:ended], 60)
    for _ in range(100):
        execution.step()
        time.sleep(0.02)
    assert len(execution.pods) == 4  # the queue has taken its place away
    execution.suspend(False)
    assert execution.finish(_PATIENCE).type == "Complete", execution.text()
    assert execution.codes == [STOPPED, STOPPED, _KILLED, STOPPED, 0]
    assert_same_weights(output, expected)


@_LONG
def test_a_single_pod_that_got_no_gpu_is_not_replaced(send: Send) -> None:
    execution, _ = send("crawl", shipped=_JOB, accelerator={"type": "NVIDIA_L4", "count": 1})
    assert execution.finish(_PATIENCE).reason == "PodFailurePolicy", execution.text()
    assert execution.codes == [78], execution.text()
