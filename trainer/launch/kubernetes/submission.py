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
    for writer in namespace.writers(ns.label(first, STAGE), ns.label(first, OUTPUT)):
        if not ns.is_ending(writer):
            return _found(namespace, writer), False
        _wait(namespace, writer)
    for taken in _of_the_name(namespace, first):
        if not _cleared(namespace, taken, first):
            return _found(namespace, taken), False  # somebody sent it just now
    return _make(namespace, first)


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
