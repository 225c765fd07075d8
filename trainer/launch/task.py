# SPDX-License-Identifier: MIT
"""Command line of `cxr14-launch`: prints or sends a training job.

    cxr14-launch vertex|kubernetes --job=YAML [--dry_run]

With --dry_run, exactly what would be sent goes to standard output and nothing is sent; everything
that is said about it goes to standard error.
"""

import ipaddress
import sys
import urllib.parse
from collections.abc import Sequence
from typing import Any

from absl import flags

from preprocessing.contract.errors import ConfigError, JobError, UsageError
from preprocessing.contract.process import streams
from preprocessing.contract.settings import command_line, declaration
from trainer.launch import job_file, kubernetes, manifests, placeholders, vertex
from trainer.launch.job import EXAMPLE, Job

_KEYS = """A job file, with an example or the default of each key, and what is allowed:

"""
_USAGE = "cxr14-launch vertex|kubernetes --job=YAML [--dry_run]"


def main() -> int:
    """Runs the command line of this process; returns its exit code."""
    streams.settle()
    return run(sys.argv)


def run(argv: Sequence[str]) -> int:
    """Runs a command line, program name first; returns the exit code."""
    try:
        _launch(argv)
        sys.stdout.flush()
    except JobError as error:
        print(f"cxr14-launch: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "cxr14-launch: stopped by Ctrl-C: look on the platform whether the job was sent before "
            "you send it again",
            file=sys.stderr,
        )
        return 130
    return 0


def _launch(argv: Sequence[str]) -> None:
    values = _flags()
    positional = command_line.parse(argv, values=values)[1:]
    if values.help:
        keys = declaration.described(EXAMPLE, changes=False)
        print(f"{__doc__}\nFlags:{values.get_help()}\n\n{_KEYS}{keys}")
        return
    if len(positional) != 1 or positional[0] not in ("vertex", "kubernetes"):
        raise UsageError(f"name one platform, vertex or kubernetes; usage: {_USAGE}")
    if values.job is None:
        raise UsageError(f"--job=YAML is missing; usage: {_USAGE}")
    _check_endpoint(values.api_endpoint, positional[0])
    job = job_file.load(values.job)
    platform = _vertex if positional[0] == "vertex" else _kubernetes
    platform(job, values)


def _flags() -> flags.FlagValues:
    # A set of its own: the program must not answer to flags that imported packages define.
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    flags.DEFINE_string("job", None, "Job file to launch, local or gs://.", flag_values=values)
    flags.DEFINE_bool(
        "dry_run", False, "Print exactly what would be sent, and send nothing.", flag_values=values
    )
    flags.DEFINE_string(
        "api_endpoint",
        None,
        "Another Vertex AI server than the region's own; http:// only on this machine.",
        flag_values=values,
    )
    flags.DEFINE_bool("help", False, "Show this help.", flag_values=values, short_name="h")
    return values


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
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise UsageError(f"--api_endpoint={endpoint} is not encrypted: use https")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _vertex(job: Job, values: flags.FlagValues) -> None:
    with job_file.blaming(values.job):
        spec, envelope = vertex.render(job), vertex.envelope(job)
    labels = ", ".join(f"{key}={value}" for key, value in envelope["labels"].items())
    about = f"the jobSpec of {job.name} (labels {labels}) for {envelope['parent']}"
    if _to_be_sent(spec, [spec, envelope], about, values):
        print(vertex.submit(job, api_endpoint=values.api_endpoint))


def _kubernetes(job: Job, values: flags.FlagValues) -> None:
    with job_file.blaming(values.job):
        manifest = kubernetes.render(job)
    about = f"the {manifest['kind']} {manifest['metadata']['namespace']}/{job.name}"
    if manifest["kind"] == "JobSet":
        about += f", whose {job.timeout_hours:g} hours count for each attempt"
    if _to_be_sent(manifest, manifest, about, values):
        print(kubernetes.submit(job))


def _to_be_sent(spec: Any, filled_in: Any, about: str, values: flags.FlagValues) -> bool:
    """Prints the spec in a dry run; otherwise checks that nothing is left to fill in."""
    words = ", ".join(placeholders.find(filled_in))
    if not values.dry_run:
        if words:
            raise ConfigError(
                f"{values.job}: replace {words} by your own before you send the job; "
                "--dry_run shows it as it is"
            )
        return True
    print(f"cxr14-launch: nothing is sent; this is {about}", file=sys.stderr)
    if words:
        print(f"cxr14-launch: still to be replaced: {words}", file=sys.stderr)
    sys.stdout.write(manifests.dump(spec))
    return False


if __name__ == "__main__":
    sys.exit(main())
