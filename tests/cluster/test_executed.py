# SPDX-License-Identifier: MIT
"""Pods that only look about themselves: they find what their manifest says, and nothing more."""

import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_executed import Execution
from cxr14_pods import Machine, Metadata, environment

from preprocessing.contract.errors import ConfigError

_SECOND = 20  # seconds in which what takes one must be over


def template(program: str, **spec: Any) -> dict[str, Any]:
    """A pod that runs a Python program."""
    container = {"name": "trainer", "command": [sys.executable, "-c", program]}
    container |= spec.pop("container", {})
    return {
        "metadata": {"labels": {"team": "lungs"}},
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }


def job(program: str, *, pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "look", "namespace": "clinic"},
        "spec": {"template": template(program, **(pod or {})), **spec},
    }


Execute = Callable[..., Execution]


def printed(execute: Execute, program: str, **pod: Any) -> Any:
    """Returns what a program prints as JSON in a pod of these fields."""
    execution = execute(job(f"import json, os\n{program}", pod=pod, backoffLimit=0), batch=0)
    assert execution.finish(_SECOND).type == "Complete", execution.text()
    return json.loads(execution.pods[0].text())


_TRY = """
def allowed(path):
    try:
        open(path + '/file', 'w').close()
        return True
    except OSError:
        return False
places = ('/tmp', '/data', '/fixed', '/', '/var', '/root', '/usr', '/etc', '/gs/images', '/dev/shm')
size = os.statvfs('/fast').f_blocks * os.statvfs('/fast').f_frsize
print(json.dumps([os.listdir('/gs/images'), size, [p for p in places if allowed(p)]]))
"""


def test_a_read_only_root_leaves_only_its_volumes_to_write_to(
    execute: Execute, machine: Machine
) -> None:
    machine.bucket("images").joinpath("there").touch()
    pod: dict[str, Any] = {
        "securityContext": {"fsGroup": 4321, "runAsUser": 0},  # who may write anywhere else
        "container": {
            "securityContext": {"readOnlyRootFilesystem": True},
            "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp"},
                {"name": "data", "mountPath": "/data"},
                {"name": "data", "mountPath": "/fixed", "readOnly": True},
                {"name": "fast", "mountPath": "/fast"},
            ],
        },
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "disk"}},
            {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        ],
    }
    assert printed(execute, _TRY, **pod) == [
        ["there"],
        8 << 20,
        ["/tmp", "/data", "/gs/images", "/dev/shm"],
    ]
    # It outlives the pod, and belongs to the group of the volume.
    assert machine.volume("disk").joinpath("file").stat().st_gid == 4321
    pod["container"]["securityContext"]["readOnlyRootFilesystem"] = False
    assert "/" in printed(execute, _TRY, **pod)[2]
    pod["securityContext"] = {"fsGroup": 4321}
    assert "/" not in printed(execute, _TRY, **pod)[2]


def test_a_container_has_the_rights_that_its_manifest_leaves_it(execute: Execute) -> None:
    program = (
        "status = dict(l.split(':\\t', 1) for l in open('/proc/self/status') if ':\\t' in l)\n"
        "print(json.dumps([os.getuid(), os.getgid(), os.getgroups(), os.getpid(), "
        "{n: status[n].strip() for n in ('CapEff', 'CapBnd', 'NoNewPrivs')}]))"
    )
    bound = printed(
        execute,
        program,
        securityContext={"runAsUser": 123456, "runAsGroup": 7, "fsGroup": 8},
        container={
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
        },
    )
    none = "0" * 16
    assert bound == [123456, 7, [8], 1, {"CapEff": none, "CapBnd": none, "NoNewPrivs": "1"}]
    free = printed(execute, program)
    assert free[:4] == [10001, 10001, [], 1]
    assert free[4]["CapBnd"] != none and free[4]["NoNewPrivs"] == "0"


def test_the_variables_of_a_container_are_those_of_its_manifest() -> None:
    metadata = Metadata("pod-1", "clinic", {"team": "lungs"}, {"a/b": "7"})
    path = "metadata.annotations['a/b']"
    env = [
        {"name": "PLAIN", "value": "1e3"},
        {"name": "EMPTY"},
        {"name": "FROM_FIELD", "valueFrom": {"fieldRef": {"fieldPath": path}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NONE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['x']"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}},
        {"name": "OVER", "value": "own"},
    ]
    sources = [{"secretRef": {"name": "s"}, "prefix": "S_"}, {"configMapRef": {"name": "c"}}]
    secrets = {"s": {"token": "x"}, "c": {"OVER": "theirs"}}
    assert environment({"env": env, "envFrom": sources}, metadata, secrets) == {
        "PLAIN": "1e3",
        "EMPTY": "",
        "FROM_FIELD": "7",
        "NAME": "pod-1",
        "NONE": "",
        "KEY": "x",
        "OVER": "own",
        "S_token": "x",
    }
    with pytest.raises(KeyError):
        environment({"env": env}, metadata, {})


def test_nothing_of_this_process_reaches_a_pod(
    execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", "{}")
    found = printed(
        execute, "print(json.dumps([dict(os.environ), os.getcwd(), os.listdir('/tmp')]))"
    )
    assert "TF_CONFIG" not in found[0] and found[0]["HOME"] == found[1] == "/tmp"
    assert found[2] == []


def test_a_pod_that_cannot_be_set_up_is_no_pod_that_failed(execute: Execute) -> None:
    execution = execute(job("", pod={"container": {"volumeMounts": [
        {"name": "v", "mountPath": "/usr/lib/no-such-folder"}
    ]}, "volumes": [{"name": "v", "emptyDir": {}}]}))  # fmt: skip
    with pytest.raises(OSError, match="was not set up: .*no-such-folder"):
        execution.step()


def test_a_manifest_with_another_field_is_not_executed(execute: Execute) -> None:
    with pytest.raises(ConfigError, match="spec.sucessPolicy"):
        execute(job("", sucessPolicy={}))


_SERVE = """
import os, socket, time
me = int(os.environ['JOB_COMPLETION_INDEX'])
names = [f'{os.environ["SET"]}-worker-0-{i}.{os.environ["SET"]}' for i in (0, 1)]
assert socket.gethostname() == names[me].partition('.')[0]
if me == 0:
    with socket.create_server(('', 2222)) as server:
        print(server.accept()[0].recv(9).decode(), flush=True)
else:
    while True:
        try:
            socket.create_connection((names[0], 2222), timeout=5).send(os.environ['TRY'].encode())
            break
        except OSError:
            time.sleep(0.01)
if os.environ['TRY'] == '0':
    raise SystemExit(3)
"""


def test_pods_of_a_jobset_find_each_other_and_know_their_attempt(execute: Execute) -> None:
    key = "metadata.annotations['jobset.sigs.k8s.io/{}']"
    env = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": key.format(path)}}}
        for name, path in (("SET", "jobset-name"), ("TRY", "restart-attempt"))
    ]
    spec = {
        "completionMode": "Indexed",
        "completions": 2,
        "parallelism": 2,
        "backoffLimit": 0,
        "template": template(_SERVE, container={"env": env}),
    }
    execution = execute(
        {
            "apiVersion": "jobset.x-k8s.io/v1alpha2",
            "kind": "JobSet",
            "metadata": {"name": "pair"},
            "spec": {
                "network": {"enableDNSHostnames": True},
                "failurePolicy": {"maxRestarts": 1},
                "replicatedJobs": [{"name": "worker", "template": {"spec": spec}}],
            },
        },
        batch=0.3,
    )
    assert execution.finish(_SECOND).type == "Completed", execution.text()
    assert execution.restarts == (1, 1)
    assert execution.codes == [3, 3, 0, 0]
    assert [pod.text() for pod in execution.pods[::2]] == ["0\n", "1\n"]


_SLEEP = "import signal, time\n{}\nprint('up', flush=True)\ntime.sleep(60)"
_STOP_75 = "signal.signal(signal.SIGTERM, lambda *_: exit(75))"


@pytest.mark.parametrize(
    ("handler", "grace", "code"),
    [(_STOP_75, 30, 75), ("", 1, 137)],  # process 1 of a container ignores SIGTERM by default
    ids=["heard", "ignored"],
)
def test_a_pod_that_is_deleted_has_its_grace_and_no_more(
    execute: Execute, handler: str, grace: int, code: int
) -> None:
    pod = {"terminationGracePeriodSeconds": grace}
    execution = execute(job(_SLEEP.format(handler), pod=pod, backoffLimit=0), batch=0)
    execution.until(lambda: execution.pods and "up" in execution.pods[-1].text(), _SECOND)
    began = time.monotonic()
    execution.pod().delete()
    assert execution.finish(_SECOND).reason == "BackoffLimitExceeded"
    assert execution.codes == [code]
    assert (time.monotonic() - began >= grace) == (code == 137)


def test_what_happens_to_pods_is_seen_as_the_cluster_sees_it(execute: Execute) -> None:
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    given = {"backoffLimit": 1, "podFailurePolicy": {"rules": rules}}
    execution = execute(job(_SLEEP.format(_STOP_75), **given), batch=0)

    def up() -> None:
        execution.until(lambda: execution.pods and "up" in execution.pods[-1].text(), _SECOND)

    up()
    execution.pod().evict()
    execution.until(lambda: len(execution.pods) == 2, _SECOND)
    up()
    execution.pod().lose_node(0.3)
    execution.until(lambda: len(execution.pods) == 3, _SECOND)
    assert execution.condition is None  # none of it counted
    for _ in range(2):
        up()
        killed = execution.pod()
        killed.signal(signal.SIGKILL)
        execution.until(lambda pod=killed: pod.phase != "Running", _SECOND)
    assert execution.finish(_SECOND).reason == "BackoffLimitExceeded"
    assert execution.codes == [75, None, 137, 137], execution.text()
    assert [line.split(maxsplit=1)[1] for line in execution.events[1:4:2]] == [
        "look-00000 Failed with exit code 75 DisruptionTarget",
        "look-00001 Failed DisruptionTarget",
    ]


def test_a_job_in_a_queue_starts_when_it_is_admitted(execute: Execute) -> None:
    execution = execute(job("", suspend=True), batch=0)
    for _ in range(3):
        execution.step()
    assert not execution.pods
    execution.suspend(False)
    assert execution.finish(_SECOND).type == "Complete"
