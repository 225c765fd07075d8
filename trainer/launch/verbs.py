# SPDX-License-Identifier: MIT
"""What a person does with jobs: send, look, read, end, list, check; each prints what it found.

What a script reads (a name, lines of a log, a table) goes to standard output, all that is said
about it to standard error.
"""

import itertools
import sys
import time

from preprocessing.contract.errors import ConfigError, JobError, ServiceError, UsageError
from preprocessing.contract.files import storage
from trainer.launch import manifests
from trainer.launch.description import placeholders
from trainer.launch.description.job import Job
from trainer.launch.description.vertex import Vertex
from trainer.launch.platform import (
    SUCCEEDED,
    Finding,
    Platform,
    Status,
    UnsuccessfulError,
    deleted,
    say,
)

# Between two questions whether a job is over; platforms allow about one a second.
POLL_S = 15.0
# Seconds that a platform may stay away from whoever waits for a job, as while it is upgraded.
PATIENCE_S = 900.0


def submit(platform: Platform, job: Job, stage: str, *, dry_run: bool) -> None:
    """Sends a job, or with `dry_run` prints it.

    Raises:
        ConfigError: something is left to be filled in, or what the job reads is there for all to
            see, and would end it.
    """
    if dry_run:
        rendered = platform.render(job, stage)
        say(f"nothing is sent; this is {rendered.about}")
        if words := ", ".join(placeholders.find(rendered.sent)):
            say(f"still to be replaced: {words}")
        sys.stdout.write(manifests.dump(rendered.spec))
        return
    _check_filled_in(platform, job, stage)
    from trainer.launch.doctor import examination  # which a dry run need not wait for

    for finding in examination.before_sending(job, stage):
        if finding.ok is False:
            raise ConfigError(f"{_described(finding)}; nothing was sent")
        if finding.ok is None:
            break  # the job may have rights that its sender lacks, who need not wait for more
    status, is_new = platform.submit(job, stage)
    if not is_new:
        does = "serves" if stage == "serve" else "writes to"
        state = f"{status.state}{_detail(status)}"
        say(f"{status.resource} {does} this output already and is {state}: sent nothing")
    print(status.resource)


def estimate(job: Job, stage: str, like: str, prices: str, *, on_the_way: bool = False) -> None:
    """Prints what a job takes in machine hours and money, with the arithmetic.

    Args:
        job: to be sent.
        stage: of the job.
        like: folder of a run whose speed is taken; "" for what the job file says.
        prices: price file; likewise.
        on_the_way: to a job that is sent, which a figure that is missing does not keep back.

    Raises:
        ConfigError: a figure is missing, or the data set cannot be read.
        UsageError: the job does not train.
    """
    from trainer.launch import estimate as of  # which other verbs need not wait for

    try:
        for line in of.lines(job, stage, like, prices):
            say(line) if on_the_way else print(line)
    except JobError as error:
        if not on_the_way:
            raise
        say(f"no estimate: {error}")


def _check_filled_in(platform: Platform, job: Job, stage: str) -> None:
    if words := ", ".join(placeholders.find(platform.render(job, stage).sent)):
        raise ConfigError(
            f"replace {words} by your own before you send the job; --dry_run shows it as it is"
        )


def status(platform: Platform, name: str, stage: str, *, follow: bool) -> None:
    """Prints what is known of a job, one `key: value` a line; with `follow` once it is over.

    Raises:
        UnsuccessfulError: it was followed, and did not succeed.
    """
    found = platform.status(name, stage)
    while follow and not found.is_over:
        before = found.state
        time.sleep(POLL_S)
        found = _seen_again(platform, name, stage)
        if found.state != before:
            say(str(found))
    for key, value in vars(found).items():
        if value:
            print(f"{key}: {value}", flush=True)
    if found.stage == "train" and storage.scheme_of(found.output):
        from trainer.runfolder import progress_note  # likewise

        said = progress_note.described(found.output, time.time())
        print(f"progress: {said.replace(': ', ' - ')}")  # as YAML has one colon a line
    if follow:
        _insist_on_success(found)


def logs(platform: Platform, name: str, stage: str, *, follow: bool) -> None:
    """Prints a job's log as it comes; with `follow`, until it is over, and then its state.

    Raises:
        UnsuccessfulError: it was followed, and did not succeed.
    """
    for line in platform.logs(name, stage, follow=follow):
        print(line, flush=True)
    if follow:
        found = _seen_again(platform, name, stage)
        _insist_on_success(found)
        say(_ending(found))


def cancel(platform: Platform, name: str, stage: str) -> None:
    """Ends a job; one that is over already is left as it is."""
    found = platform.status(name, stage)
    if found.is_over:
        say(f"{_ending(found)} already: nothing to end")
        return
    found = platform.cancel(name, stage)
    ending = "" if found.is_over else ", and will end soon"
    say(f"{_ending(found)}{ending}")


def _seen_again(platform: Platform, name: str, stage: str) -> Status:
    """Returns a job that was there, however long its platform takes to answer.

    Raises:
        ServiceError: that was too long.
        UnsuccessfulError: somebody deleted the job.
    """
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return platform.status(name, stage)
        except UsageError as error:
            raise deleted(name) from error
        except ServiceError:
            if time.monotonic() > end:
                raise
            time.sleep(POLL_S)


def _insist_on_success(found: Status) -> None:
    if found.state != SUCCEEDED:
        raise UnsuccessfulError(_ending(found))


def _ending(found: Status) -> str:
    return f"{found}{_detail(found)}"


def _detail(found: Status) -> str:
    return f" ({found.detail})" if found.detail else ""


def upload(made: str, is_new: bool) -> None:
    """Prints which version of a model was registered."""
    if not is_new:
        say(f"{made} was made of the same report: sent nothing")
    print(made)


def show_all(platform: Platform) -> None:
    """Prints a table of the jobs, newest first."""
    rows = [["NAME", "STAGE", "STATE", "CREATED", "RESOURCE"]]
    for found in platform.list():
        state = "cancelling" if found.is_ending else found.state
        rows.append([found.name, found.stage, state, found.created, found.resource])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def doctor(platform: Platform, job: Job, stage: str, place: Vertex | None) -> None:
    """Prints what was looked at before anything is paid for.

    Raises:
        ConfigError: something is left to be filled in, or would keep the job from running; all that
            would is printed.
    """
    _check_filled_in(platform, job, stage)
    from trainer.launch.doctor import examination

    wrong = 0
    everywhere = examination.findings(job, stage, place)
    for finding in itertools.chain(everywhere, platform.findings(job, stage)):
        wrong += finding.ok is False
        mark = {True: "ok", False: "WRONG", None: "unknown"}[finding.ok]
        print(f"{mark:8}{_described(finding)}", flush=True)
    if wrong:
        raise ConfigError(f"{wrong} of the above must be fixed before the job can run")


def _described(finding: Finding) -> str:
    fix = f"; {finding.fix}" if finding.fix else ""
    return f"{finding.what}: {finding.said}{fix}"
