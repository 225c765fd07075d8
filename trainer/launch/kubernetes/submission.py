# SPDX-License-Identifier: MIT
"""Sends a job to a cluster so that there is never a second writer to its output.

The same command may be given again at any time: it finds a job that is not over, waits for one
that is being cancelled, and replaces one that is over, whose run then goes on from its state.
"""

import time
from collections.abc import Sequence

from preprocessing.contract.errors import ConfigError, ServiceError
from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes import service, states
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Refusal
from trainer.launch.manifests import Spec
from trainer.launch.platform import NAME, OUTPUT, STAGE, say

# Times of creation have whole seconds: what comes later than this has a later one.
_SETTLES_S = 1.2


def submit(namespace: Namespace, manifests: Sequence[Spec]) -> tuple[Spec, bool]:
    """Makes what manifests describe, unless a job that is not over writes to the same output.

    Args:
        namespace: where to.
        manifests: a Job, a JobSet, or a Deployment and what belongs to it.

    Returns:
        The job as the cluster has it, and whether it is new.

    Raises:
        ConfigError: the cluster refuses it, or something else has its name.
        ServiceError: the cluster did not answer; the same command may be given again.
    """
    first, *others = manifests
    made, is_new = _first(namespace, first)
    if made["metadata"]["name"] == first["metadata"]["name"]:
        for manifest in others:
            if is_new or namespace.at(manifest) is None:
                _make(namespace, manifest)
    return made, is_new


def _first(namespace: Namespace, first: Spec) -> tuple[Spec, bool]:
    """Makes the job itself, or returns one that is not over."""
    if writer := _earliest(namespace, first, may_wait=True):
        return _found(namespace, writer), False
    for taken in _of_the_name(namespace, first):
        if not _cleared(namespace, taken, first):
            return _found(namespace, taken), False  # somebody sent it just now
    made, is_new = _make(namespace, first)
    # Another person may have sent theirs, of another name or kind, between the look and this.
    time.sleep(_SETTLES_S)
    earliest = _earliest(namespace, first, may_wait=False) or made
    return earliest, is_new and earliest["metadata"]["uid"] == made["metadata"]["uid"]


def _earliest(namespace: Namespace, first: Spec, *, may_wait: bool) -> Spec | None:
    """Returns the first made of the jobs that write to the output of a job, None if none does.

    If that job was made too, and later, it is deleted.

    Args:
        namespace: where to look.
        first: manifest of the job.
        may_wait: wait until jobs that are being cancelled are gone, if there are no others.
    """
    writers = namespace.writers(ns.label(first, STAGE), ns.label(first, OUTPUT))
    living = [writer for writer in writers if not ns.is_ending(writer)]
    for late in living[1:]:
        if namespace.path(late) == namespace.path(first):
            ahead = namespace.called(living[0])
            say(f"{namespace.called(late)} is deleted: {ahead} came first to its output")
            namespace.delete(late)
    if living:
        return living[0]
    for writer in writers if may_wait else ():
        _wait(namespace, writer)
    return None


def _found(namespace: Namespace, thing: Spec) -> Spec:
    """Returns a job that is there, and says how else it may be changed."""
    if thing["kind"] == "Deployment":
        where = f"deployment/{thing['metadata']['name']} --namespace={namespace.name}"
        say(
            f"`kubectl rollout restart {where}` lets it read a model that was exported again; "
            "pipe what --dry_run prints into `kubectl apply -f -` to change it while it answers"
        )
    return thing


def _of_the_name(namespace: Namespace, manifest: Spec) -> list[Spec]:
    """Returns what has the name of a manifest, as a Job or as a JobSet."""
    labels = {key: ns.label(manifest, key) for key in (NAME, STAGE)}
    found = [*namespace.jobs(labels[STAGE], **labels), *filter(None, [namespace.at(manifest)])]
    return list({thing["metadata"]["uid"]: thing for thing in found}.values())


def _cleared(namespace: Namespace, thing: Spec, manifest: Spec) -> bool:
    """Removes what has the name of a manifest, returns False if it is the same and not over.

    Raises:
        ConfigError: it is another that is not over, or not of this program.
    """
    called = namespace.called(thing)
    if any(ns.label(thing, key) != ns.label(manifest, key) for key in (NAME, STAGE)):
        raise ConfigError(
            f"{called} is there already and was not made by cxr14-launch for this stage: change "
            "name"
        )
    if ns.is_ending(thing):
        _wait(namespace, thing)
    elif ns.is_over(thing):
        say(f"{called} is over: it is replaced, and its run goes on")
        namespace.delete(thing)
    elif _is_same(thing, manifest):
        return False
    else:
        raise ConfigError(
            f"{called} is not over and writes to "
            f"{states.status_of(thing, namespace.name).output or 'another output'}: change name, "
            f"or end it first: `cxr14-launch cancel kubernetes {ns.label(thing, NAME)} "
            f"--namespace={namespace.name} --stage={ns.label(thing, STAGE)}`"
        )
    return True


def _make(namespace: Namespace, manifest: Spec) -> tuple[Spec, bool]:
    """Makes one thing; a name is there once, so that a second try never makes a second thing."""
    where = namespace.path(manifest).rpartition("/")[0]
    lost: ServiceError | None = None
    for pause in (*service.PAUSES, None):
        try:
            return {**manifest, **namespace.api.make(where, manifest)}, True
        except Refusal as error:
            found = namespace.at(manifest) if error.status == 409 else None
            if error.status != 409 or found and not _is_same(found, manifest):
                raise ConfigError(_refused(error, namespace, manifest)) from error
            if found:
                # After an answer that was lost it is this command that made it.
                return found, lost is not None
            lost = ServiceError(error.said)  # gone just now, or two requests met at a quota
        except ServiceError as error:
            lost = error
        if pause is not None:
            time.sleep(pause)
    raise ServiceError(
        f"{namespace.called(manifest)} was not made, or no answer says so: {lost}"
    ) from lost


def _is_same(found: Spec, manifest: Spec) -> bool:
    return not ns.is_ending(found) and all(
        ns.label(found, key) == ns.label(manifest, key) for key in (STAGE, NAME, OUTPUT)
    )


def _refused(error: Refusal, namespace: Namespace, manifest: Spec) -> str:
    if error.status == 401:
        return str(error)
    what = f"the cluster refused to make {namespace.called(manifest)}: {error.said}"
    if error.status == 404:
        missing = f"`kubectl create namespace {namespace.name}`"
        if manifest["kind"] == "JobSet":
            missing = f"install JobSet ({manifest['apiVersion']}), set replicas to 1, or {missing}"
        return f"{what}: {missing}"
    if error.status == 403:
        if "exceeded quota" in error.said:
            return f"{what}: `kubectl describe quota --namespace={namespace.name}` shows its use"
        return f"{what}: {service.WHICH_ROLE}"
    if error.status == 409:
        return f"{what}: give the command again when it is gone"
    return what


def _wait(namespace: Namespace, thing: Spec) -> None:
    called = namespace.called(thing)
    say(f"{called} is being cancelled and saves its state: waiting until it is gone")
    namespace.delete(thing)
