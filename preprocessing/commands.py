# SPDX-License-Identifier: MIT
"""The commands of the preprocessing job: download, run, phantom, verify, describe."""

import logging
import sys
from collections.abc import Mapping, Sequence

from absl import flags

from preprocessing import phantom
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import given_paths, storage
from preprocessing.contract.invocation import flags as invocation
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log
from preprocessing.contract.settings import command_line, declaration, presets

_BEAMS_PATHS = (
    "--dataflow_job_file",
    "--profile_location",
    "--profile_temp_location",
    "--requirements_file",
    "--setup_file",
    "--staging_location",
    "--temp_location",
    "--template_location",
)
_HELP = """cxr14-preprocess: radiographs and their index -> shards and manifest

  cxr14-preprocess --source=nih --images=DIR --labels=CSV --train_val_list=TXT --test_list=TXT
                   [--boxes=CSV] --output=DIR [--config=YAML] [--config.stored_size=256]
                   [--allow_missing] [--check_md5] [Beam's own flags, such as --runner]
  cxr14-preprocess --source=csv --images=DIR --labels=CSV --output=DIR --config=YAML
  cxr14-preprocess --source=dicom --images=DIR --labels=CSV --pseudonym_key_file=FILE
                   --output=DIR --config=YAML
  cxr14-preprocess verify DIR
  cxr14-preprocess describe DIR [--output=DIR]
  cxr14-preprocess download --output=DIR [--first=N] [--labels_url=URL] [--addresses=CSV]
                   [--at_once=4]
  cxr14-preprocess phantom --output=DIR --images=N --seed=S [--prevalence=realistic|raised]

  --images is a folder, however nested, or archives (.tar.gz, .tar, .zip) as downloaded, or both.
  download fetches NIH's archives to a folder or bucket, goes on where it was stopped, and checks
  their MD5; --addresses is a table of name,address,md5,bytes to fetch instead.
  A split is made by lists (--train_val_list and --test_list, or --train_list, --validation_list
  and --test_list), by a column of the label file, or at random by patient.
  --log_format=json writes every line of the log as one JSON object, as log services read it.
  --config may be given more than once: each file is read over the ones before it. Of two
  --config.NAME=VALUE the later counts; every other flag is given once.
  --config=preset:NAME takes a file that comes with the program; --list_presets lists them.

Settings with their defaults, as for a YAML file; in brackets: what is allowed, and whether the
setting may change when an unfinished job is started again.
"""


def do(argv: Sequence[str]) -> int:
    """Does what a command line asks for and returns the exit code.

    Raises:
        JobError: what the user can fix.
    """
    command = argv[1] if len(argv) > 1 and argv[1] in _COMMANDS else "run"
    rest = [argument for at, argument in enumerate(argv) if at != 1 or argument != command]
    if {"--help", "-h", "--helpfull"} & set(rest):
        log.show(f"{_HELP}\n{declaration.described(Config())}")
        return 0
    if "--list_presets" in rest:
        log.show(presets.listed(invocation.PRESETS))
        return 0
    return _COMMANDS[command](rest)


def _run(argv: Sequence[str]) -> int:
    inputs, config, rest = invocation.parse(argv)
    _check_beams_paths(rest)
    _prepare_for_beam()
    # Imported here because Beam takes seconds that --help and the phantom need not pay.
    from preprocessing import pipeline

    manifest, fresh = pipeline.run(inputs, config, rest)
    output = storage.shown(inputs.output)
    log.show(_summary(output, manifest) if fresh else f"{output} is complete already")
    return 0


def _verify(argv: Sequence[str]) -> int:
    folder, _, left = _folder("verify", argv)
    from preprocessing import verify

    log.show(verify.command(folder, left))
    return 0


def _describe(argv: Sequence[str]) -> int:
    folder, output, left = _folder("describe", argv)
    from preprocessing import card

    log.show(card.describe(folder, output, left).text())
    return 0


def _folder(command: str, argv: Sequence[str]) -> tuple[str, str, list[str]]:
    """Reads the folder, --output and Beam's own flags of a command on a finished data set."""
    _prepare_for_beam()
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    log.define_flag(values)
    flags.DEFINE_string("output", "", "Folder of the description.", flag_values=values)
    left = command_line.parse(argv, values=values, known_only=True)[1:]
    folders = [argument for argument in left if not argument.startswith("-")]
    if len(folders) != 1:
        given = f"{len(folders)} folders given" if folders else "no folder given"
        raise UsageError(f"{command}: {given}; use cxr14-preprocess {command} DIR")
    if values.output and command == "verify":
        raise UsageError("verify writes nothing: leave --output out")
    rest = [argument for argument in left if argument.startswith("-")]
    _check_beams_paths(rest)
    output = given_paths.checked("--output", values.output)
    return given_paths.checked(command, folders[0]), output, rest


def _check_beams_paths(arguments: Sequence[str]) -> None:
    """Checks the paths among Beam's own flags, which Beam itself would take as they are."""
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in _BEAMS_PATHS and given_paths.checked(name, value) != value:
            raise UsageError(f"{argument} is read by Beam, which knows no ~: write the path out")


def _prepare_for_beam() -> None:
    if sys.flags.optimize > 1:
        raise UsageError(
            "PYTHONOPTIMIZE=2 (python -OO) drops texts that Beam needs: unset it, or set it to 1"
        )
    # Without its Google extra Beam says so at every start; this job does not need it.
    logging.getLogger().addFilter(lambda record: "apitools" not in record.getMessage())


def _download(argv: Sequence[str]) -> int:
    values = flags.FlagValues()
    log.define_flag(values)
    for name in ("output", "addresses", "labels_url"):
        flags.DEFINE_string(name, "", "A path or an address.", flag_values=values)
    flags.DEFINE_integer("first", None, "How many archives.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer(
        "at_once", 4, "Files at a time.", lower_bound=1, upper_bound=16, flag_values=values
    )
    left = command_line.parse(argv, values=values)
    if len(left) > 1 or not values.output:
        wrong = f"{left[1]!r} is not a flag" if len(left) > 1 else "--output is missing"
        raise UsageError(f"download: {wrong}; --help shows the whole command")
    output = given_paths.checked("--output", values.output)
    # Imported here because the other commands fetch nothing.
    from preprocessing.download import addresses, job

    table = given_paths.checked("--addresses", values.addresses)
    files = addresses.files(table, values.labels_url, values.first)
    log.show(job.run(output, files, at_once=values.at_once))
    return 0


def _phantom(argv: Sequence[str]) -> int:
    values = flags.FlagValues()
    log.define_flag(values)
    flags.DEFINE_string("output", "", "Folder of the phantom.", flag_values=values)
    flags.DEFINE_integer("images", None, "How many pictures.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Decides everything.", lower_bound=0, flag_values=values)
    flags.DEFINE_enum(
        "prevalence",
        "realistic",
        ["realistic", "raised"],
        "How often findings occur.",
        flag_values=values,
    )
    left = command_line.parse(argv, values=values)
    if len(left) > 1 or not values.output or not values.images:
        wrong = (
            f"{left[1]!r} is not a flag" if len(left) > 1 else "--output and --images are needed"
        )
        raise UsageError(f"phantom: {wrong}; --help shows the whole command")
    output = given_paths.checked("--output", values.output)
    summary = phantom.write(
        output, images=values.images, seed=values.seed, prevalence=values.prevalence
    )
    made = "made" if summary.written else "complete already"
    log.show(
        f"{summary.output}: {summary.images} pictures of {summary.patients} patients, "
        f"{summary.train_val} in train_val and {summary.test} in test, {made}"
    )
    return 0


def _summary(output: str, manifest: Manifest) -> str:
    lines = [
        f"{output}: {manifest.counters['records_written']} records of "
        f"{manifest.stored_size} x {manifest.stored_size} pixels"
    ]
    for name, split in manifest.splits.items():
        lines.append(
            f"  {name:<11}{split.examples:>8} images {split.patients:>7} patients "
            f"{len(split.shards):>4} shards"
        )
    lines += [f"  {name}: {count}" for name, count in manifest.counters.items()]
    lines.append(f"  split: {manifest.split_method}")
    official = "is" if manifest.official_split else "is not"
    lines.append(f"  the split {official} ChestX-ray14's official one")
    return "\n".join([*lines, *_cautions(manifest.counters)])


def _cautions(counters: Mapping[str, int]) -> list[str]:
    """Says what somebody who defends the figures must have looked at."""
    told = {
        "images_rejected": "images could not be used: see rejected.csv",
        "images_with_warnings": "images leave something open: see warnings.csv",
        "duplicate_groups_across_patients": "pictures lie under several patients, pixel for pixel",
        "duplicate_groups_across_splits": "pictures lie in several splits, pixel for pixel: they "
        "leak from train into validation or test; see duplicates.csv",
    }
    return [f"  note: {counters[name]} {text}" for name, text in told.items() if counters.get(name)]


_COMMANDS = {
    "download": _download,
    "run": _run,
    "phantom": _phantom,
    "verify": _verify,
    "describe": _describe,
}
