# SPDX-License-Identifier: MIT
"""Says in plain words how a job of Kubernetes is, from what the API server shows of it."""

import dataclasses
import re
from collections.abc import Sequence

from trainer.launch.kubernetes.namespace import (
    Namespace,
    condition,
    is_ending,
    is_over,
    label,
    pod_spec,
)
from trainer.launch.manifests import Spec
from trainer.launch.platform import (
    FAILED,
    NAME,
    RUNNING,
    STAGE,
    SUCCEEDED,
    WAITING,
    Status,
)

QUEUE = "kueue.x-k8s.io/queue-name"
_CODES = {
    3: "done, but the report falls short of --require: read the log",
    64: "wrong usage: change args",
    65: "unusable data: read the log, fix the data",
    74: "full disk, no memory, or a store that stayed away: it may pass",
    75: "stopped after saving: it goes on where it was",
    78: "wrong configuration: read the log, change args",
    137: "killed: it took more than kubernetes.memory, or did not end within its grace period",
    143: "stopped before it could save",
}
_EXIT_CODE = re.compile(r"failed with exit code ([0-9]+) matching FailJob rule")
_WORDS = {
    "BackoffLimitExceeded": "it failed more often than `restarts` allows",
    "ReachedMaxRestarts": "it failed more often than `restarts` allows",
    "DeadlineExceeded": "it took longer than timeout_hours",
    "PodFailurePolicy": "it ended with what no new try can change",
    "FailJobSetFailurePolicyAction": "it ended with what no new try can change",
}
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError")
_STARTING = ("ContainerCreating", "PodInitializing")


def seen(namespace: Namespace, thing: Spec) -> Status:
    """Returns the state of a job after a look at its pods, and at why it waits if it does."""
    pods, children = namespace.pods(thing), namespace.children(thing)
    status = status_of(thing, namespace.name, pods, children)
    if status.state != WAITING:
        return status
    if thing["spec"].get("suspend"):
        note = namespace.queued(thing)
    else:
        # A pod that could not be made leaves a warning with what would have made it.
        waiting = [pod for pod in pods if why_pod_waits(pod)][:1]
        note = next(filter(None, map(namespace.warning, waiting or [thing, *children])), "")
        note = note or ("" if pods else "no pod of it is there yet")
    if (note.partition(": ")[2] or note) in status.detail:
        return status
    detail = ": ".join(filter(None, [status.detail, note]))
    return dataclasses.replace(status, detail=detail)


def status_of(
    thing: Spec, namespace: str, pods: Sequence[Spec] = (), children: Sequence[Spec] = ()
) -> Status:
    """Returns the state of a Job, JobSet or Deployment.

    Args:
        thing: as the API server has it.
        namespace: that it is in.
        pods: of it, oldest first; without them there is less detail.
        children: the Jobs of a JobSet.
    """
    state = _state(thing, pods)
    details = {
        SUCCEEDED: _restarts(thing),
        FAILED: _joined(_failure(thing, children, pods), _restarts(thing)),
        RUNNING: _joined(_running(thing), _before(thing, pods)),
        WAITING: _joined(_waiting(thing, pods), _before(thing, pods)),
    }
    ended = condition(thing, "Complete", "Completed", "Failed") or {}
    arguments = pod_spec(thing)["containers"][0].get("args") or []
    outputs = [argument for argument in arguments if argument.startswith("--output=")]
    return Status(
        name=label(thing, NAME) or thing["metadata"]["name"],
        stage=label(thing, STAGE),
        state=state,
        resource=f"{namespace}/{thing['metadata']['name']}",
        detail=details[state],
        created=thing["metadata"].get("creationTimestamp", ""),
        started=thing.get("status", {}).get("startTime", ""),
        ended=ended.get("lastTransitionTime", ""),
        output=outputs[-1].partition("=")[2] if outputs else "",
    )


def why_pod_waits(pod: Spec) -> str:
    """Returns why a pod does not run, empty if it does or did."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for found in status.get("conditions") or []:
        if found["type"] == "PodScheduled" and found["status"] == "False":
            return f"no node takes {name}: {found.get('message') or found.get('reason', '')}"
    for container in containers(pod):
        waiting = container["state"].get("waiting")
        if waiting and waiting.get("reason") not in (None, *_STARTING):
            return f"{name} {_why_container_waits(container, waiting)}"
    return f"{name} is being started" if status.get("phase", "Pending") == "Pending" else ""


def exit_code(pod: Spec, own: Sequence[str]) -> str:
    """Returns how a pod's containers ended, the one that failed first; empty if none did.

    Args:
        pod: as the API server has it.
        own: names of the containers that are the job's, and not added by the cluster.
    """
    ended = [
        container[key]["terminated"]
        for container in containers(pod)
        for key in ("state", "lastState")
        if container["name"] in own and container.get(key, {}).get("terminated")
    ]
    ended.sort(key=lambda found: found["exitCode"] == 0)
    if ended and ended[0].get("reason") == "OOMKilled":
        return "it took more memory than kubernetes.memory: raise it"
    if ended:
        return code_in_words(ended[0]["exitCode"])
    status = pod.get("status", {})
    return f"{status['reason']}: {status.get('message', '')}" if status.get("reason") else ""


def code_in_words(code: int) -> str:
    """Returns what an exit code means.

    >>> code_in_words(78)
    'exit code 78 (wrong configuration: read the log, change args)'
    """
    return f"exit code {code} ({_CODES.get(code, 'a crash' if code else 'done')})"


def containers(pod: Spec) -> list[Spec]:
    """Returns the states of a pod's containers, those that come before the others first."""
    status = pod.get("status", {})
    return [
        container
        for key in ("initContainerStatuses", "containerStatuses")
        for container in status.get(key) or []
        if "state" in container
    ]


def _state(thing: Spec, pods: Sequence[Spec]) -> str:
    if condition(thing, "Complete", "Completed"):
        return SUCCEEDED
    if is_over(thing):
        return FAILED
    if is_ending(thing):
        return RUNNING
    if thing["spec"].get("suspend"):
        return WAITING
    # What a job knows of its pods comes later than what they know themselves.
    phases = [pod.get("status", {}).get("phase") for pod in pods]
    runs = thing["kind"] != "Deployment" and "Running" in phases
    runs = runs and not any(map(why_pod_waits, pods))
    return RUNNING if runs or _ready(thing) else WAITING


def _ready(thing: Spec) -> int:
    """Returns how many pods run, or for a JobSet how many of its Jobs have all of theirs."""
    status = thing.get("status", {})
    if thing["kind"] == "JobSet":
        return sum(part.get("ready", 0) for part in status.get("replicatedJobsStatus") or [])
    return int(status.get("ready") or status.get("readyReplicas") or 0)


def _failure(thing: Spec, children: Sequence[Spec], pods: Sequence[Spec]) -> str:
    # What a JobSet says of a failure names the Job that failed, which says why.
    failed = [found for part in children if (found := condition(part, "Failed"))]
    said = condition(thing, "Failed") or {}
    cause = failed[0] if failed and said.get("reason") != "ReachedMaxRestarts" else said
    reason, message = cause.get("reason", ""), cause.get("message", "")
    words = _WORDS.get(reason, f"{reason}: {message}")
    code = _EXIT_CODE.search(message)
    if code:
        return f"{words}, {code_in_words(int(code[1]))}"
    last = _last_code(thing, pods)
    return f"{words}, at last {last}" if last and reason != "DeadlineExceeded" else words


def _before(thing: Spec, pods: Sequence[Spec]) -> str:
    last = _last_code(thing, pods)
    return f"the pod before ended with {last}" if last and thing["kind"] == "Job" else ""


def _last_code(thing: Spec, pods: Sequence[Spec]) -> str:
    """Returns how the newest pod ended that did, empty if none did."""
    spec = pod_spec(thing)
    own = [part["name"] for part in [*spec.get("initContainers", []), *spec["containers"]]]
    last = [text for pod in pods if (text := exit_code(pod, own))]
    return last[-1] if last else ""


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _restarts(thing: Spec) -> str:
    status = thing.get("status", {})
    if thing["kind"] == "JobSet" and status.get("restarts"):
        counted = status.get("restartsCountTowardsMax", status["restarts"])
        limit = thing["spec"].get("failurePolicy", {}).get("maxRestarts", 0)
        return f"started again {status['restarts']} times, of which {counted} count ({limit} may)"
    if thing["kind"] == "Job" and status.get("failed"):
        return f"{status['failed']} failures count ({thing['spec'].get('backoffLimit', 6)} may)"
    return ""


def _running(thing: Spec) -> str:
    if is_ending(thing):
        return "cancelled: it saves its state and ends"
    if thing["kind"] == "Deployment":
        return f"{_ready(thing)} of {thing['spec'].get('replicas', 1)} pods answer"
    return _restarts(thing)


def _waiting(thing: Spec, pods: Sequence[Spec]) -> str:
    if thing["spec"].get("suspend"):
        queue = label(thing, QUEUE)
        return (
            f"the queue {queue} of Kueue has not admitted it"
            if queue
            else "it is suspended: `kubectl patch` its spec.suspend to false"
        )
    reasons = [why for pod in pods if (why := why_pod_waits(pod))]
    more = f"; {len(reasons) - 1} more pods wait" if len(reasons) > 1 else ""
    return _joined("".join(reasons[:1]) + more, _restarts(thing))


def _why_container_waits(container: Spec, waiting: Spec) -> str:
    reason, message = waiting["reason"], waiting.get("message", "")
    if reason in _IMAGE:
        return (
            f"cannot get the image {container['image']} ({reason}: {message}): check its name, and "
            "whether the nodes may pull it (kubernetes.image_pull_secrets, or their role on the "
            "registry)"
        )
    ended = container.get("lastState", {}).get("terminated")
    if reason == "CrashLoopBackOff" and ended:
        return f"ends again and again, at last with {code_in_words(ended['exitCode'])}"
    return f"cannot start its container ({reason}: {message})"
