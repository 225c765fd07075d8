# SPDX-License-Identifier: MIT
"""Runs work on a Beam runner and shows how much of it is finished."""

import argparse
import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners.runner import create_runner

from preprocessing.contract.errors import JobError, StoppedError, UnavailableError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.process.progress import Progress
from preprocessing.workers import worker_errors, worker_processes

# Below this many images the start of worker processes costs more than they save.
_FEW_IMAGES = 256
_POLL_S, _POLL_BUCKET_S = 1.0, 10.0
_ON_THIS_MACHINE = {
    "BundleBasedDirectRunner",
    "DirectRunner",
    "FnApiRunner",
    "InteractiveRunner",
    "PrismRunner",
    "SwitchingDirectRunner",
}
# Runners that start their engine here unless a flag names one; that flag.
_ADDRESSES = {
    "DaskRunner": "address",  # of --dask_client_address
    "FlinkRunner": "flink_master",
    "PortableRunner": "job_endpoint",
    "SparkRunner": "spark_master_url",
}


def options(arguments: Sequence[str], *, images: int) -> PipelineOptions:
    """Turns Beam's own flags into options; without any, all cores of this machine are used.

    Args:
        arguments: the flags that this program does not know.
        images: how many images there are to read.

    Raises:
        UsageError: a flag that Beam does not know either, or a value that it cannot take.
    """
    _refuse_unusable_runner(arguments)  # first, because some runners bring flags of their own
    _refuse_unknown(arguments)
    names = {argument.partition("=")[0] for argument in arguments}
    local = not names & {"--runner", "--direct_running_mode", "--direct_num_workers"}
    defaults = ["--runner=DirectRunner"]
    if images >= _FEW_IMAGES:
        defaults += ["--direct_running_mode=multi_processing", "--direct_num_workers=0"]
    chosen = PipelineOptions([*(defaults if local else []), *arguments])
    _refuse_missing_flags(chosen)
    return chosen


def run(
    work: beam.PTransform,
    beam_options: PipelineOptions,
    *,
    title: str,
    unit: str,
    finished: Mapping[str, int],
) -> None:
    """Does all of the work and returns when the last of it is finished.

    Args:
        work: a transform that starts from nothing.
        beam_options: what `options` returned.
        title: what is done, for the line that shows progress.
        unit: what is counted, in the plural.
        finished: path of the note that each piece of work leaves, all in one folder -> how many
            units it counts as.

    Raises:
        JobError: a worker met what the user can fix.
    """
    worker_processes.mark()
    stop, lost = threading.Event(), list[JobError]()
    watcher = threading.Thread(target=_watch, args=(title, unit, finished, stop, lost), daemon=True)
    direct = beam_options.view_as(DirectOptions)
    processes = direct.direct_running_mode == "multi_processing"
    if processes:
        worker_processes.reserve_files(direct.direct_num_workers)
    explained = worker_errors.explained(processes=processes)
    with _free_after_progress(finished), explained, worker_processes.ending_with_them():
        watcher.start()
        try:
            with beam.Pipeline(options=beam_options) as pipeline:
                _ = pipeline | work
        finally:
            stop.set()
            watcher.join()
        if lost:
            raise lost[0]


def refuse_local_paths(beam_options: PipelineOptions, paths: Mapping[str, str]) -> None:
    """Refuses files of this machine where the work is done on others.

    Args:
        beam_options: what `options` returned.
        paths: name of a flag -> its path; empty paths are ignored.

    Raises:
        UsageError: workers could not see one of the paths.
    """
    local = [f"--{name}={path}" for name, path in paths.items() if _is_local(path)]
    runner = _create_runner(beam_options)
    if local and _works_elsewhere(type(runner).__name__, beam_options.get_all_options()):
        raise UsageError(
            f"{type(runner).__name__} works on other machines, which cannot see {local[0]}: put "
            "it into a bucket and name its gs:// path"
        )


def _is_local(path: str) -> bool:
    return bool(path) and not storage.scheme_of(path)


def _works_elsewhere(runner: str, values: Mapping[str, Any]) -> bool:
    """Returns whether a runner's workers are on other machines, as far as its flags say."""
    if runner not in _ADDRESSES:
        return runner not in _ON_THIS_MACHINE
    address = str(values.get(_ADDRESSES[runner]) or "")
    host = address.rpartition("://")[2].partition(":")[0]
    return bool(host) and not host.startswith(("local", "127.", "[local", "[auto"))


@contextlib.contextmanager
def _free_after_progress(finished: Mapping[str, int]) -> Iterator[None]:
    """Lets a store that stayed away count as a restart only if this start finished nothing.

    Raises:
        StoppedError: part of the work was finished before.
    """
    folder, units = _notes(finished)
    before = _done(folder, units)
    try:
        yield
    except UnavailableError as error:
        now = before
        with contextlib.suppress(JobError, OSError):
            now = _done(folder, units)
        if now > before:
            raise StoppedError(str(error)) from error
        raise


def _notes(finished: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    """Returns the folder of the notes, and name -> units."""
    folder = next(iter(finished)).rpartition("/")[0]
    return folder, {storage.basename(path): count for path, count in finished.items()}


def _done(folder: str, units: Mapping[str, int]) -> int:
    names = map(storage.basename, storage.list_files(folder))
    return sum(units.get(name, 0) for name in names)


def _watch(
    title: str,
    unit: str,
    finished: Mapping[str, int],
    stop: threading.Event,
    lost: list[JobError],
) -> None:
    """Shows the progress; output that cannot be written is left in `lost` for the main thread."""
    try:
        _count(title, unit, finished, stop)
    except JobError as error:
        lost.append(error)


def _count(title: str, unit: str, finished: Mapping[str, int], stop: threading.Event) -> None:
    """Counts the notes of finished work: works for every runner, near or far."""
    folder, units = _notes(finished)
    poll_s = _POLL_BUCKET_S if storage.scheme_of(folder) else _POLL_S
    with Progress(title, sum(units.values()), unit=unit) as progress:
        while True:
            last = stop.wait(poll_s)
            with contextlib.suppress(JobError):  # the workers say it better
                progress.reach(_done(folder, units))
            if last:
                return


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing Beam's hundreds of flags and leaving the process."""

    def error(self, message: str) -> NoReturn:
        """Refuses a value."""
        raise UsageError(f"{message}; --help lists the flags")


def _refuse_unusable_runner(arguments: Sequence[str]) -> None:
    """Finds a runner that does not exist, or is not installed, before any work is begun."""
    parser = _Parser(allow_abbrev=False, add_help=False)
    StandardOptions._add_argparse_args(parser)
    known, _ = parser.parse_known_args(list(arguments))
    name = known.runner or StandardOptions.DEFAULT_RUNNER
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(
            f"--runner={name} cannot be used: {' '.join(str(error).split())}"
        ) from error


def _create_runner(chosen: PipelineOptions) -> Any:
    return create_runner(chosen.view_as(StandardOptions).runner or StandardOptions.DEFAULT_RUNNER)


def _refuse_missing_flags(chosen: PipelineOptions) -> None:
    """Finds that a runner lacks its flags, before any work is begun."""
    runner = _create_runner(chosen)
    wrong = PipelineOptionsValidator(chosen, runner).validate()
    if wrong:
        name = type(runner).__name__
        raise UsageError(f"--runner={name}: {' '.join(' '.join(wrong).split())}")


def _refuse_unknown(arguments: Sequence[str]) -> None:
    """Beam drops what it does not know with a warning; a typing error deserves an error."""
    parser = _Parser(allow_abbrev=False, add_help=False)
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        raise UsageError(
            f"neither cxr14-preprocess nor Beam knows {' '.join(unknown)}; --help lists the flags"
        )
