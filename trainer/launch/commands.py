# SPDX-License-Identifier: MIT
"""The commands of `cxr14-launch`: sends jobs, follows them, and ends them.

    cxr14-launch [submit] vertex|kubernetes --job=YAML [--stage=STAGE] [--dry_run]
    cxr14-launch vertex|kubernetes --job=YAML --estimate [--like=RUN] [--prices=YAML]
    cxr14-launch doctor vertex|kubernetes --job=YAML [--stage=STAGE]
    cxr14-launch status|logs vertex|kubernetes [NAME] [--job=YAML] [--follow]
    cxr14-launch cancel vertex|kubernetes [NAME] [--job=YAML]
    cxr14-launch list vertex|kubernetes [--job=YAML]
    cxr14-launch upload vertex [NAME] [--job=YAML] [--serving_image=IMAGE]

A job is found by its name, from any machine; where it was sent to, the job file or flags say. With
--dry_run, exactly what would be sent goes to standard output and nothing is sent; everything that
is said about it goes to standard error.

Exit codes: 0 done, or found as asked; with --follow 0 if the job succeeded and 1 if it failed or
was cancelled. 64 the command line is wrong, the job does not exist, or a bucket needs a login; 78 a
person must change the job file, the login, a role or a quota; 69 the platform did not answer, and
the same command may be run again: it looks for the job before it sends one.
"""

import dataclasses
import urllib.parse
from collections.abc import Sequence

from absl import flags

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.settings import command_line, declaration, presets
from trainer import flags as trainer_flags
from trainer.launch import verbs
from trainer.launch.description import job_file
from trainer.launch.description.job import EXAMPLE, Job
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.description.vertex import Vertex
from trainer.launch.doctor.registry import is_this_machine
from trainer.launch.kubernetes.cluster import Cluster
from trainer.launch.platform import STAGES, Platform
from trainer.launch.vertex import registry
from trainer.launch.vertex.vertex_ai import VertexAI

VERBS = ("submit", "doctor", "status", "logs", "cancel", "list", "upload")
_NEED_A_JOB = ("submit", "doctor")
_KEYS = """A job file, with an example or the default of each key, and what is allowed:

"""
_USAGE = f"cxr14-launch [{'|'.join(VERBS)}] vertex|kubernetes [NAME] [--job=YAML]"


def do(argv: Sequence[str]) -> None:
    """Does what a command line says, program name first.

    Raises:
        JobError: it cannot be done.
    """
    values = _flags()
    words = command_line.parse(argv, values=values)[1:]
    if values.help:
        keys = declaration.described(EXAMPLE, changes=False)
        print(f"{__doc__}\nFlags:{values.get_help()}\n\n{_KEYS}{keys}")
        return
    if values.list_presets:
        print(presets.listed(job_file.PRESETS, "--job=preset:NAME"))
        print(presets.listed(trainer_flags.PRESETS, "In args, config: preset:NAME"))
        return
    verb = words.pop(0) if words and words[0] in VERBS else "submit"
    if not words or words[0] not in ("vertex", "kubernetes"):
        raise UsageError(f"name one platform, vertex or kubernetes; usage: {_USAGE}")
    name = words[1] if len(words) == 2 and verb not in (*_NEED_A_JOB, "list") else None
    if len(words) > 1 and name is None:
        raise UsageError(f"{words[1]!r} is one word too many; usage: {_USAGE}")
    if values.job is None and verb in _NEED_A_JOB:
        raise UsageError(f"--job=YAML is missing; usage: {_USAGE}")
    _check_endpoint(values.api_endpoint, words[0])
    _check_places(values)
    job = _placed(job_file.load(values.job), values) if values.job is not None else None
    with job_file.blaming(values.job):
        _do(verb, _platform(words[0], job, values), job, name, values)


def _do(
    verb: str, platform: Platform, job: Job | None, name: str | None, values: flags.FlagValues
) -> None:
    stage = values.stage
    if job is not None and verb == "submit":
        figures = (values.like or "", values.prices or "")
        if values.estimate:
            verbs.estimate(job, stage, *figures)
            return
        if any(figures) or job.estimate is not None:
            verbs.estimate(job, stage, *figures, on_the_way=True)
        verbs.submit(platform, job, stage, dry_run=values.dry_run)
    elif job is not None and verb == "doctor":
        place = job.vertex if isinstance(platform, VertexAI) else None
        verbs.doctor(platform, job, stage, place)
    elif verb == "list":
        verbs.show_all(platform)
    else:
        name = name or (job.name if job is not None else None)
        if name is None:
            raise UsageError(f"{verb} needs a NAME or --job=YAML; `cxr14-launch list` shows names")
        if verb == "upload":
            _upload(platform, name, job, values)
        elif verb == "cancel":
            verbs.cancel(platform, name, stage)
        else:
            look = {"status": verbs.status, "logs": verbs.logs}[verb]
            look(platform, name, stage, follow=values.follow)


def _upload(platform: Platform, name: str, job: Job | None, values: flags.FlagValues) -> None:
    if not isinstance(platform, VertexAI):
        raise UsageError("upload is for vertex: kubernetes serves with submit and --stage=serve")
    verbs.upload(*platform.upload(name, values.stage, job, values.serving_image))


def _placed(job: Job, values: flags.FlagValues) -> Job:
    """Returns the job in the project and region that flags name; `Cluster` does the same."""
    given = {name: values[name].value for name in ("project", "region") if values[name].value}
    if job.vertex is None or not given:
        return job
    return dataclasses.replace(job, vertex=dataclasses.replace(job.vertex, **given))


def _platform(which: str, job: Job | None, values: flags.FlagValues) -> Platform:
    """Returns the place that the flags name, or else the job file.

    Raises:
        UsageError: neither names it.
    """
    if which == "kubernetes":
        section = job.kubernetes if job is not None else None
        return Cluster(values.namespace or (section.namespace if section else "default"))
    if job is not None and job.vertex is not None:  # where the flags say: see `_placed`
        return VertexAI(job.vertex.project, job.vertex.region, values.api_endpoint, job)
    if job is None and not (values.project and values.region):
        raise UsageError("vertex needs --project=ID and --region=REGION, or --job=YAML with both")
    return VertexAI(values.project, values.region, values.api_endpoint)


def _flags() -> flags.FlagValues:
    # A set of its own: the program must not answer to flags that imported packages define.
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    texts = {
        "job": "Job file, local or gs://, or preset:NAME for one that comes with the program.",
        "project": "Google Cloud project, in the place of the job file's.",
        "region": "Region of Vertex AI, in the place of the job file's.",
        "namespace": "Namespace of Kubernetes, in the place of the job file's.",
        "api_endpoint": "Another Vertex AI server than the region's own. An http:// one must be on "
        "this machine; it takes the place of all services of Google and is sent no credentials.",
    }
    for name, text in texts.items():
        flags.DEFINE_string(name, None, text, flag_values=values)
    flags.DEFINE_string(
        "serving_image",
        None,
        "For upload: what serves a SavedModel by the contract of Vertex AI, in the place of the "
        f"job file's serve.image where serve.server is cxr14, or else of {registry.IMAGE}.",
        flag_values=values,
    )
    flags.DEFINE_enum("stage", "train", STAGES, "Which job of the file.", flag_values=values)
    flags.DEFINE_bool(
        "dry_run", False, "Print exactly what would be sent, and send nothing.", flag_values=values
    )
    flags.DEFINE_bool(
        "follow",
        False,
        "Read a log, or wait for the state, until the job is over; exit 0 only if it succeeded.",
        flag_values=values,
    )
    _define_estimate(values)
    presets.define_flag(values)
    flags.DEFINE_bool("help", False, "Show this help.", flag_values=values, short_name="h")
    return values


def _define_estimate(values: flags.FlagValues) -> None:
    flags.DEFINE_bool(
        "estimate",
        False,
        "Print what the job takes in machine hours and money, and send nothing.",
        flag_values=values,
    )
    texts = {
        "like": "For an estimate: folder of a run of the same recipe, whose speed is taken.",
        "prices": "For an estimate: YAML file of yours with `currency: EUR` and a line "
        "`MACHINE_TYPE: PRICE` for each machine type, the price an hour with its accelerators.",
    }
    for name, text in texts.items():
        flags.DEFINE_string(name, None, text, flag_values=values)


def _check_places(values: flags.FlagValues) -> None:
    """Refuses names of places that a job file could not hold either."""
    project, region = values.project or "any-project", values.region or "us-central1"
    try:
        declaration.check(Vertex(project=project, region=region))
        declaration.check(Kubernetes(namespace=values.namespace or "default"))
    except ConfigError as error:
        raise UsageError(f"--{error}") from error


def _check_endpoint(endpoint: str | None, platform: str) -> None:
    """Refuses to talk in clear text to another machine."""
    if endpoint is None:
        return
    if platform != "vertex":
        raise UsageError("--api_endpoint is for vertex; kubernetes takes kubectl's current context")
    try:
        parts = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    except ValueError:
        parts = urllib.parse.urlsplit("")
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise UsageError(f"--api_endpoint={endpoint} is neither a host name nor an https address")
    if parts.scheme == "http" and not is_this_machine(parts.netloc):
        raise UsageError(f"--api_endpoint={endpoint} is not encrypted: use https")
