# SPDX-License-Identifier: MIT
"""Sends a job to a cluster so that there is never a second writer to its output.

The same command may be given again at any time: it finds a job that is not over, waits for one
that is being cancelled, and replaces one that is over, whose run then goes on from its state.
"""

import sys
import time
from collections.abc import Sequence

from preprocessing.contract.errors import ConfigError, ServiceError
from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes import service, states
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Refusal
from trainer.launch.manifests import Spec
from trainer.launch.platform import NAME, OUTPUT, STAGE


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
    first = manifests[0]
    for writer in namespace.writers(ns.label(first, STAGE), ns.label(first, OUTPUT)):
        if not ns.is_ending(writer):
            return writer, False
        _wait(namespace, writer)
    _clear(namespace, first)
    made, is_new = _make(namespace, first)
    for manifest in manifests[1:]:
        _make(namespace, manifest)
    return made, is_new


def _clear(namespace: Namespace, manifest: Spec) -> None:
    """Makes the name of a manifest free, which may belong to a Job as well as to a JobSet.

    Raises:
        ConfigError: it is of something that is not over, or that this program did not make.
    """
    name = ns.label(manifest, NAME)
    found = list(namespace.jobs(**{NAME: name, STAGE: ns.label(manifest, STAGE)}))
    at_name = namespace.at(manifest)
    if at_name is not None and at_name["metadata"]["uid"] not in [
        thing["metadata"]["uid"] for thing in found
    ]:
        raise ConfigError(
            f"{_called(namespace, at_name)} is there already and was not made by cxr14-launch for "
            "this stage: change name"
        )
    for thing in found:
        if ns.is_ending(thing):
            _wait(namespace, thing)
        elif ns.is_over(thing):
            _say(f"{_called(namespace, thing)} is over: it is replaced, and its run goes on")
            namespace.delete(thing)
        else:
            raise ConfigError(
                f"{_called(namespace, thing)} is not over and writes to "
                f"{states.status_of(thing, namespace.name).output or 'another output'}: change "
                f"name, or end it first: `{_command('cancel', namespace, thing)}`"
            )


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
        f"{_called(namespace, manifest)} was not made, or no answer says so: {lost}"
    ) from lost


def _is_same(found: Spec, manifest: Spec) -> bool:
    return not ns.is_ending(found) and all(
        ns.label(found, key) == ns.label(manifest, key) for key in (STAGE, NAME, OUTPUT)
    )


def _refused(error: Refusal, namespace: Namespace, manifest: Spec) -> str:
    if error.status == 401:
        return str(error)
    what = f"the cluster refused to make {_called(namespace, manifest)}: {error.said}"
    if error.status == 404:
        missing = f"`kubectl create namespace {namespace.name}`"
        if manifest["kind"] == "JobSet":
            missing = f"install JobSet ({manifest['apiVersion']}), set replicas to 1, or {missing}"
        return f"{what}: {missing}"
    if error.status == 403:
        if "exceeded quota" in error.said:
            return f"{what}: `kubectl describe quota --namespace={namespace.name}` shows its use"
        return f"{what}: `cxr14-launch doctor kubernetes --job=...` says which role you lack"
    if error.status == 409:
        return f"{what}: give the command again when it is gone"
    return what


def _wait(namespace: Namespace, thing: Spec) -> None:
    called = _called(namespace, thing)
    _say(f"{called} is being cancelled and saves its state: waiting until it is gone")
    namespace.delete(thing)


def _called(namespace: Namespace, thing: Spec) -> str:
    return f"the {thing['kind']} {namespace.name}/{thing['metadata']['name']}"


def _command(verb: str, namespace: Namespace, thing: Spec) -> str:
    return (
        f"cxr14-launch {verb} kubernetes {ns.label(thing, NAME)} --namespace={namespace.name} "
        f"--stage={ns.label(thing, STAGE)}"
    )


def _say(text: str) -> None:
    print(f"cxr14-launch: {text}", file=sys.stderr, flush=True)
