# SPDX-License-Identifier: MIT
"""Command line of the preprocessing job: `cxr14-preprocess [phantom] --flags`."""

import logging
import os
import sys
from collections.abc import Sequence

from absl import flags

from preprocessing import phantom
from preprocessing.config import Config
from preprocessing.contract import settings
from preprocessing.contract.errors import JobError, UsageError
from preprocessing.contract.manifest import Manifest

COMMANDS = ("run", "phantom")

_HELP = """cxr14-preprocess: radiographs and their index -> shards and manifest

  cxr14-preprocess --source=nih --images=DIR --labels=CSV --train_val_list=TXT --test_list=TXT
                   [--boxes=CSV] --output=DIR [--config=YAML] [--config.stored_size=256]
                   [--allow_missing] [Beam's own flags, such as --runner]
  cxr14-preprocess phantom --output=DIR --images=N --seed=S [--prevalence=realistic|raised]
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code; every user error is one sentence."""
    # Set before TensorFlow is imported, which only paths such as s3:// need.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    argv = list(sys.argv if argv is None else argv)
    command = argv[1] if len(argv) > 1 and argv[1] in COMMANDS else "run"
    rest = [argument for at, argument in enumerate(argv) if at != 1 or argument != command]
    if {"--help", "-h", "--helpfull"} & set(rest):
        print(f"{_HELP}\nSettings and their defaults:\n\n{settings.to_yaml(Config())}")
        return 0
    try:
        return _phantom(rest) if command == "phantom" else _run(rest)
    except JobError as error:
        print(f"cxr14-preprocess: {error}", file=sys.stderr)
        return error.exit_code


def _run(argv: Sequence[str]) -> int:
    # Without its Google extra Beam says so at every start; this job does not need it.
    logging.getLogger().addFilter(lambda record: "apitools" not in record.getMessage())
    # Imported here because Beam takes seconds that --help and the phantom need not pay.
    from preprocessing import pipeline

    values = flags.FlagValues()
    flags.DEFINE_enum("source", "nih", ["nih"], "Kind of data set.", flag_values=values)
    for name in ("images", "labels", "train_val_list", "test_list", "boxes", "output"):
        flags.DEFINE_string(name, "", "A path, local or gs://.", flag_values=values)
    flags.DEFINE_bool("allow_missing", False, "Work on part of the images.", flag_values=values)
    left = settings.parse(Config(), argv, values=values, known_only=True)
    for name in ("images", "labels", "train_val_list", "test_list", "output"):
        if not values[name].value:
            raise UsageError(f"--{name} is missing; --help shows the whole command")
    inputs = pipeline.Inputs(
        images=values.images,
        labels=values.labels,
        train_val_list=values.train_val_list,
        test_list=values.test_list,
        boxes=values.boxes,
        output=values.output,
        allow_missing=values.allow_missing,
    )
    manifest, fresh = pipeline.run(inputs, values.config, left[1:])
    print(_summary(inputs.output, manifest) if fresh else f"{inputs.output} is complete already")
    return 0


def _phantom(argv: Sequence[str]) -> int:
    values = flags.FlagValues()
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
    left = settings.parse_flags(argv, values=values)
    if len(left) > 1 or not values.output or not values.images:
        wrong = f"{left[1]!r} is no flag" if len(left) > 1 else "--output and --images are needed"
        raise UsageError(f"phantom: {wrong}; --help shows the whole command")
    summary = phantom.write(
        values.output, images=values.images, seed=values.seed, prevalence=values.prevalence
    )
    made = "made" if summary.written else "complete already"
    print(
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
    official = "is" if manifest.official_split else "is not"
    lines.append(f"  the split {official} ChestX-ray14's official one")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
