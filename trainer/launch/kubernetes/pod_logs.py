# SPDX-License-Identifier: MIT
"""Reads the logs of a job's pods, of those that were replaced too, or follows them to its end."""

import heapq
import queue
import threading
import time
from collections.abc import Iterator

from preprocessing.contract.errors import JobError, ServiceError
from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes import states
from trainer.launch.kubernetes.container_log import ContainerLog
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Refusal
from trainer.launch.manifests import Spec
from trainer.launch.platform import WAITING, deleted, say, understood

_INDEX = "batch.kubernetes.io/job-completion-index"
_AT_ONCE = 10_000
# Seconds before a stream that broke is opened again.
_AGAIN_S = 1.0
# Seconds that a cluster may stay away, and the end of a log after the end of the job.
_PATIENCE_S = 900.0


def read(namespace: Namespace, thing: Spec) -> Iterator[str]:
    """Yields the lines of all pods of a job that are still there, in the order of their times.

    Raises:
        ServiceError: some could not be read; what could be is yielded first.
    """
    lost: list[str] = []

    def lines(log: ContainerLog) -> Iterator[tuple[str, str]]:
        for pause in (0.0, 1.0, None):
            try:
                yield from log.lines(follow=False)
                return
            except Refusal as error:
                if error.status not in (400, 404):  # it is gone, or not there yet
                    lost.append(f"{log.pod}: {error.said}")
                return
            except ServiceError as error:
                if pause is None:
                    lost.append(f"{log.pod}: {error}")
                else:
                    time.sleep(pause)

    pods = namespace.pods(thing)
    logs = [log for pod in pods for each in _logs(namespace, thing, pod).values() for log in each]
    if not logs:
        say(f"{_described(namespace, thing)}; there is no log")
    for _, text in heapq.merge(*map(lines, logs), key=lambda line: line[0]):
        yield text
    if lost:
        raise ServiceError(f"not all could be read: {'; '.join(lost)}: run the same command again")


def follow(namespace: Namespace, job: Spec) -> Iterator[str]:
    """Yields the lines of a job's pods as they come, also of those made later, until it is over.

    Raises:
        ServiceError: the cluster stayed away.
        UnsuccessfulError: somebody deleted the job.
    """
    lines: queue.Queue[str] = queue.Queue(_AT_ONCE)
    readers: dict[tuple[str, str], threading.Thread] = {}
    answered = going = time.monotonic()
    said, is_over = "", False
    while not is_over or any(reader.is_alive() for reader in readers.values()):
        yield from _waited(lines, ns.POLL_S if said else 0)
        try:
            thing = namespace.again(job)
            if thing is None and not is_over:
                yield from _waited(lines, ns.POLL_S)
                raise deleted(f"{namespace.name}/{job['metadata']['name']}")
            pods = namespace.pods(thing) if thing is not None else []
            text = _described(namespace, thing) if thing is not None else said
            answered = time.monotonic()
        except ServiceError:
            if time.monotonic() - answered > _PATIENCE_S:
                raise
            continue
        for pod in pods:
            _start(namespace, job, pod, readers, lines)
        is_over = is_over or ns.is_over(thing or job)
        if text != said and not is_over:
            say(text)
        said = text
        going = going if is_over else time.monotonic()
        if time.monotonic() - going > _PATIENCE_S:
            break  # the node of a pod is lost, and its log with it
    yield from _waited(lines, 0)


def _described(namespace: Namespace, thing: Spec) -> str:
    found = states.status_of(thing, namespace.name)
    if found.state == WAITING:
        found = states.seen(namespace, thing)
    return f"{found}: {found.detail}" if found.detail else str(found)


def _start(
    namespace: Namespace,
    job: Spec,
    pod: Spec,
    readers: dict[tuple[str, str], threading.Thread],
    lines: queue.Queue[str],
) -> None:
    """Starts to read those logs of a pod that nobody reads yet."""
    for container, logs in _logs(namespace, job, pod).items():
        key = pod["metadata"]["uid"], container
        if key not in readers:
            say(f"reading the log of {pod['metadata']['name']}, {container}")
            readers[key] = threading.Thread(target=_keep_reading, args=(logs, lines), daemon=True)
            readers[key].start()


def _waited(lines: queue.Queue[str], seconds: float) -> Iterator[str]:
    """Yields what comes within some seconds, and all that is there."""
    end = time.monotonic() + seconds
    while True:
        try:
            yield lines.get(timeout=max(end - time.monotonic(), 0.01))
        except queue.Empty:
            if time.monotonic() >= end:
                return


def _keep_reading(logs: list[ContainerLog], lines: queue.Queue[str]) -> None:
    """Reads a container's logs to their end, however often their streams break."""
    for log in logs:
        has_ended = "previous" in log.query
        while True:
            try:
                # The last look finds what a stream that ended may not have brought.
                for _, text in log.lines(follow=not has_ended):
                    lines.put(text)
                if has_ended:
                    break
                with understood("the cluster"):
                    has_ended = _has_ended(log)
            except ServiceError:
                pass
            except JobError as error:
                status = getattr(error, "status", None)
                if status not in (400, 404):
                    say(f"the log of {log.pod} cannot be read: {error}")
                if status != 400:  # else its container is about to start again
                    break
            if not has_ended:
                time.sleep(_AGAIN_S)


def _has_ended(log: ContainerLog) -> bool:
    """Whether a stream that ended did so because its container did, for good."""
    pod = log.namespace.api.read(ns.path("v1", "Pod", log.namespace.name, log.pod))
    status = (pod or {}).get("status", {})
    if pod is None or status.get("phase") in ("Succeeded", "Failed"):
        return True
    first = {one["name"]: one["state"] for one in status.get("initContainerStatuses") or []}
    ended = first.get(log.query["container"], {}).get("terminated")
    return bool(ended) and ended["exitCode"] == 0


def _logs(namespace: Namespace, job: Spec, pod: Spec) -> dict[str, list[ContainerLog]]:
    """Returns the logs of those containers of a job that have started, and of their last restart.

    A cluster may have added containers of its own to the pod, which are not the job's.
    """
    name = pod["metadata"]["name"]
    prefix = f"[{ns.label(pod, _INDEX) or name}] " if ns.pods_at_once(job) > 1 else ""
    wanted, found = ns.pod_spec(job), {}
    statuses = {status["name"]: status for status in states.containers(pod)}
    for container in [*wanted.get("initContainers", []), *wanted["containers"]]:
        query = {"container": container["name"]}
        status = statuses.get(container["name"], {"state": {"waiting": {}}})
        logs = []
        if status.get("restartCount"):
            logs.append(ContainerLog(namespace, name, prefix, {**query, "previous": "true"}))
        if logs or "waiting" not in status["state"]:
            found[container["name"]] = [*logs, ContainerLog(namespace, name, prefix, query)]
    return found
