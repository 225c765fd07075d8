# SPDX-License-Identifier: MIT
"""The command line of the job that makes a data set, parsed without Beam.

It is in the contract because the launcher checks it before it sends the job, on a machine that
need not be able to run it.
"""

import dataclasses
import re
from collections.abc import Sequence

from absl import flags

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import given_paths
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.process import log
from preprocessing.contract.settings import settings

SOURCES = ("nih", "csv", "dicom")
# Of configs/, with the files that --config=preset:NAME names.
PRESETS = "preprocessing"
_LABEL_FILE = re.compile(r".+\.(csv|jsonl?|parquet)(\.gz)?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Where the job reads and writes; every path may be local or gs://.

    Attributes:
        images: folder below which pictures or archives lie, or one archive.
        labels: label file of the data set, or several with commas between.
        output: folder of the new data set.
        source: "nih", "csv" or "dicom".
        train_val_list: names for training and validation; empty for none, like the next three.
        test_list: names for test.
        train_list: names for training alone.
        validation_list: names for validation.
        boxes: BBox_List_2017.csv; empty for none.
        pseudonym_key_file: the secret that makes pseudonyms of the patients in DICOM files.
        allow_missing: work on the images that are there and count the others.
        check_md5: check archives against the published sums.
    """

    images: str
    labels: str
    output: str
    source: str = "nih"
    train_val_list: str = ""
    test_list: str = ""
    train_list: str = ""
    validation_list: str = ""
    boxes: str = ""
    pseudonym_key_file: str = ""
    allow_missing: bool = False
    check_md5: bool = False


def label_files(labels: str) -> list[str]:
    """Returns the files that --labels names; a comma may also be part of a path."""
    paths = labels.split(",")
    return paths if all(map(_LABEL_FILE.fullmatch, paths)) else [labels]


PATH_FLAGS = tuple(
    field.name
    for field in dataclasses.fields(Inputs)
    if field.type in ("str", str) and field.name != "source"
)


def parse(argv: Sequence[str]) -> tuple[Inputs, Config, list[str]]:
    """Parses a command line, program name first.

    Returns:
        Where to read and write, the settings, and the flags that are left for Beam.

    Raises:
        UsageError: a flag that lacks a value, has two, or holds a path that cannot be meant.
        ConfigError: a setting that does not exist, or a value it cannot take.
    """
    values = flags.FlagValues()
    log.define_flag(values)
    flags.DEFINE_enum("source", "nih", SOURCES, "Kind of data set.", flag_values=values)
    for name in PATH_FLAGS:
        flags.DEFINE_string(name, "", "A path, local or gs://.", flag_values=values)
    flags.DEFINE_bool("allow_missing", False, "Work on part of the images.", flag_values=values)
    flags.DEFINE_bool("check_md5", False, "Check archives.", flag_values=values)
    left = settings.parse(Config(), argv, values=values, known_only=True, folder=PRESETS)
    for name in ("images", "labels", "output"):
        if not values[name].value:
            raise UsageError(f"--{name} is missing; --help shows the whole command")
    paths = {name: given_paths.checked(f"--{name}", values[name].value) for name in PATH_FLAGS}
    inputs = Inputs(
        source=values.source,
        allow_missing=values.allow_missing,
        check_md5=values.check_md5,
        **paths,
    )
    labels = ",".join(given_paths.checked("--labels", path) for path in label_files(inputs.labels))
    return dataclasses.replace(inputs, labels=labels), values.config, left[1:]
