# SPDX-License-Identifier: MIT
"""Every setting of the preprocessing job, typed, with the one place where finding names are typed.

The names and their order travel from here into the manifest, and from the manifest into the model's
width, the predictions, the report and the SavedModel.
"""

import dataclasses
import re

from preprocessing.contract import vocabulary
from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import declaration
from preprocessing.contract.settings.declaration import FIXED, FREE, setting

# Order of Wang et al., CVPR 2017 (arXiv 1705.02315), Table 1 extended to fourteen findings.
CHESTXRAY14_FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)

SPLIT_METHODS = ("", "lists", "random", "column")
# How a record holds its picture.
ENCODINGS = ("png", "raw")
_READINGS = ("unknown", "absent", "present")
_ROWS = ("one", "majority", "any")
# Between two findings that one name means.
BETWEEN = "|"


@dataclasses.dataclass
class Table:
    """How `--source=csv` and `--source=dicom` read their label files."""

    image_column: str = setting("image", FIXED)
    """Holds each image's path or name, unique in the file; an end of the path is enough as long as
    one file alone ends so."""
    image_suffix: str = setting("", FIXED)
    """Put in place of the suffix in the image column where the pictures that are there have
    another, such as ".png"; empty to leave names as they are."""
    keys: list[str] = setting([], FIXED)
    """Columns by which the lines of several files, given as --labels=FILE,FILE, belong together.
    The first file names the images; each other one adds its columns to them by those of the keys
    that it has too. A file with the same columns as the first goes on where that ends."""
    patient_column: str = setting("", FIXED)
    """Holds the patient; empty to take it from `patient_pattern`, or for DICOM from the tag
    PatientID."""
    patient_pattern: str = setting("", FIXED)
    """Regular expression whose first group, found in the image column, is the patient, such as
    "patient([0-9]+)" for CheXpert. With `patient_column` too, both must name the same patient."""
    findings_column: str = setting("", FIXED)
    """Holds the findings of an image as a separated list; empty where each finding has a column of
    its own name with 1, 0, -1 (uncertain) or nothing; True and False are 1 and 0."""
    separator: str = setting("|", FIXED)
    """Between the findings of such a list; lists in brackets and quotes, as "['a', 'b']", are read
    without."""
    names: dict[str, str] = setting({}, FIXED)
    """What the data set's own names mean in `findings`, such as {Pleural Effusion: Effusion}; "A|B"
    for two at once. A finding that several names mean is present if one of them is, absent if all
    are, else unknown; one that none means has its own name. Other columns, and then also other
    names in lists, are not wanted: they are ignored, and in lists counted."""
    incomplete: list[str] = setting([], FIXED)
    """Words of such a list that say that it does not tell all (unchanged): the findings that stand
    beside them are present, all others unknown. Only with `names`."""
    no_finding: str = setting("No Finding", FIXED)
    """What such a list says where there is no finding."""
    uncertain: str = setting("unknown", FIXED, choices=_READINGS)
    """What -1 means; unknown is masked in loss and metrics."""
    empty: str = setting("unknown", FIXED, choices=_READINGS)
    """What an empty field of a finding means."""
    rows: str = setting("one", FIXED, choices=_ROWS)
    """How several rows of an image become one: one refuses them; majority takes what more rows say
    (as many present as absent is unknown), such as of readers; any takes a finding as present where
    one row says so, such as a row for each box."""
    split_column: str = setting("", FIXED)
    """Holds train, validation or test, or another usual word for one of them (training, valid, val,
    validate, dev, eval, tuning, testing, ...); empty for none."""
    split_pattern: str = setting("", FIXED)
    """Regular expression whose first group, found in `split_column`, is that word, such as
    "(train|valid)/patient" in CheXpert's paths; empty to take all of it."""
    split_words: dict[str, str] = setting({}, FIXED)
    """Words for splits that mean another here, before their usual meaning: {valid: test}."""
    view_column: str = setting("", FIXED)
    """Holds AP, PA or other words for views; films that are not frontal are rejected. Empty for
    none, as for the columns below."""
    sex_column: str = setting("", FIXED)
    """Holds M, F, Male or Female."""
    age_column: str = setting("", FIXED)
    """Holds years, also as DICOM writes them (060Y) or as a bound (85 or more, >89), of which the
    least age counts. What is not an age is unknown, and counted."""
    date_column: str = setting("", FIXED)
    """Holds the date of the film, where `age_column` holds the date or year of birth; both begin
    with the year. The age is the one reached in that year."""
    follow_up_column: str = setting("", FIXED)
    """Holds the number of the examination in the patient's series."""
    only_column: str = setting("", FIXED)
    """Rows count only if this column holds one of `only_values`; the others are counted as left
    out. CheXpert's laterals are left out by "Frontal/Lateral"."""
    only_values: list[str] = setting([], FIXED)
    """See `only_column`."""

    def validate(self) -> None:
        """Raises ConfigError for the first settings that cannot work together."""
        if not self.image_column:
            raise ConfigError("table.image_column is empty: name the column with the images")
        if self.findings_column and not self.separator:
            raise ConfigError("table.separator is empty: name what is between two findings")
        if bool(self.only_column) != bool(self.only_values):
            raise ConfigError("table.only_column and table.only_values need each other: give both")
        if self.date_column and not self.age_column:
            raise ConfigError("table.date_column needs table.age_column: name the date of birth")
        for name in ("patient_pattern", "split_pattern"):
            self._validate_pattern(name)

    def _validate_pattern(self, name: str) -> None:
        pattern = getattr(self, name)
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ConfigError(f"table.{name} is not a regular expression: {error}") from error
        if pattern and not groups:
            raise ConfigError(
                f"table.{name} has no group: put the {name.partition('_')[0]} in parentheses"
            )


@dataclasses.dataclass
class Config:
    """Settings of one preprocessing job."""

    findings: list[str] = setting(list(CHESTXRAY14_FINDINGS), FIXED)
    """Names as in the label file; their order is the order of the model's outputs."""
    stored_size: int = setting(256, FIXED, ge=16, le=4096, unit="pixels")
    """Side in pixels of the square grey picture in each record. A crop of 7/8 of it is the usual
    model input: 256 serves 224, 512 serves 448."""
    encoding: str = setting("png", FIXED, choices=ENCODINGS)
    """How pictures are stored, lossless both; raw is more than twice the bytes, with next to no
    decoding while training."""
    source_px: int = setting(0, FIXED, ge=0, unit="pixels")
    """Side that every original must have, others are rejected; 0 takes any."""
    split: str = setting("", FIXED, choices=SPLIT_METHODS)
    """How images come to train, validation and test: by lists, at random by patient, or by a column
    of the label file; empty for the first of them that the input allows, but ChestX-ray14 never
    falls back to random."""
    validation_fraction: float = setting(0.125, FIXED, gt=0, le=0.5)
    """Share of the train_val images that becomes validation; whole patients, with each finding in
    proportion."""
    test_fraction: float = setting(0.2, FIXED, gt=0, le=0.5)
    """Share of all images that a random split puts into test, likewise."""
    split_salt: str = setting("cxr14", FIXED)
    """Text mixed into the patient hash; another salt gives another, equally valid, random split or
    validation set."""
    examples_per_shard: int = setting(512, FIXED, ge=1, unit="records")
    """Upper bound of records in one shard, the unit of work and of retry. 512 PNG records of 256 px
    are about 17 MB."""
    max_rejected_fraction: float = setting(0.001, FREE, ge=0, lt=1)
    """Share of unusable images above which the job fails; each one is listed in rejected.csv in any
    case."""
    table: Table = dataclasses.field(default_factory=Table)
    words: dict[str, str] = setting({}, FIXED)
    """A hospital's own words or phrases for parts of the body and views, in tags of DICOM files and
    in the view column, each with its meaning: chest, other (part of the body), paper, PA, AP,
    frontal, not_frontal, never_frontal (not even beside AP or PA, as an oblique) or nothing.
    preprocessing/contract/vocabulary.py has those that are known. The empty word '' (PA, AP or
    frontal) is of DICOM files that say nothing at all of part and view, which are refused else."""

    def validate(self) -> None:
        """Checks that the settings can work together.

        Raises:
            ConfigError: the first setting that cannot work, in one sentence.
        """
        declaration.check(self)
        if not self.findings:
            raise ConfigError("findings is empty: name at least one finding")
        if len(set(self.findings)) != len(self.findings):
            raise ConfigError("findings names a finding twice: give each one once")
        self.table.validate()
        for name, meant in self.table.names.items():
            # Who takes some of ChestX-ray14's findings alone need not take names out as well.
            if strange := set(meant.split(BETWEEN)) - {*self.findings, *CHESTXRAY14_FINDINGS}:
                raise ConfigError(f"table.names.{name} is {min(strange)!r}, not one of findings")
        vocabulary.of(self.words)
