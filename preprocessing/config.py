# SPDX-License-Identifier: MIT
"""Every setting of the preprocessing job, typed, with the one place where finding names are typed.

The names and their order travel from here into the manifest, and from the manifest into the model's
width, the predictions, the report and the SavedModel.
"""

import dataclasses
import re

from preprocessing.contract import vocabulary
from preprocessing.contract.errors import ConfigError
from preprocessing.contract.schema import ENCODINGS

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
_READINGS = ("unknown", "absent", "present")


@dataclasses.dataclass
class Table:
    """How `--source=csv` and `--source=dicom` read their label file.

    Attributes:
        image_column: holds each image's path or name, unique in the file; an end of the path is
            enough as long as one file alone ends so.
        patient_column: holds the patient; empty to take it from `patient_pattern`, or for DICOM
            from the tag PatientID.
        patient_pattern: regular expression whose first group, found in the image column, is the
            patient, such as "patient([0-9]+)" for CheXpert. With `patient_column` too, both must
            name the same patient.
        findings_column: holds the findings of an image as a separated list; empty where each
            finding has a column of its own name with 1, 0, -1 (uncertain) or nothing;
            True and False are 1 and 0.
        separator: between the findings of such a list.
        no_finding: what such a list says where there is none.
        uncertain: what -1 means: unknown (masked in loss and metrics), absent or present.
        empty: what an empty field of a finding means: unknown, absent or present.
        split_column: holds train, validation or test, or another usual word for one of them
            (training, valid, val, validate, dev, eval, tuning, testing, ...); empty for none.
        view_column: holds AP, PA or other words for views; films that are not frontal are
            rejected. Empty for none, as for the columns below.
        sex_column: holds M, F, Male or Female.
        age_column: holds years, also as DICOM writes them (060Y) or as a bound (85 or more, >89),
            of which the least age counts. What is no age is unknown, and counted.
        follow_up_column: holds the number of the examination in the patient's series.
        only_column: rows count only if this column holds one of `only_values`; the others are
            counted as left out. CheXpert's laterals are left out by "Frontal/Lateral".
        only_values: see there.
    """

    image_column: str = "image"
    patient_column: str = ""
    patient_pattern: str = ""
    findings_column: str = ""
    separator: str = "|"
    no_finding: str = "No Finding"
    uncertain: str = "unknown"
    empty: str = "unknown"
    split_column: str = ""
    view_column: str = ""
    sex_column: str = ""
    age_column: str = ""
    follow_up_column: str = ""
    only_column: str = ""
    only_values: list[str] = dataclasses.field(default_factory=list)

    def validate(self) -> None:
        """Raises ConfigError for the first setting that cannot work."""
        if not self.image_column:
            raise ConfigError("table.image_column is empty: name the column with the images")
        for name in ("uncertain", "empty"):
            if getattr(self, name) not in _READINGS:
                raise ConfigError(
                    f"table.{name} is {getattr(self, name)!r}: use {', '.join(_READINGS)}"
                )
        if self.findings_column and not self.separator:
            raise ConfigError("table.separator is empty: name what stands between two findings")
        if bool(self.only_column) != bool(self.only_values):
            raise ConfigError("table.only_column and table.only_values need each other: give both")
        try:
            groups = re.compile(self.patient_pattern).groups
        except re.error as error:
            raise ConfigError(
                f"table.patient_pattern is not a regular expression: {error}"
            ) from error
        if self.patient_pattern and not groups:
            raise ConfigError("table.patient_pattern has no group: put the patient in parentheses")


@dataclasses.dataclass
class Config:
    """Settings of one preprocessing job.

    Attributes:
        findings: names as they stand in the label file; their order is the order of the model's
            outputs.
        stored_size: side in pixels of the square grey picture in each record. A crop of 7/8 of it
            is the usual model input: 256 serves 224, 512 serves 448.
        encoding: how pictures are stored, lossless both: "png" or "raw" (more than twice the
            bytes, next to no decoding while training).
        source_px: side that every original must have, others are rejected; 0 takes any.
        split: how images come to train, validation and test: "lists", "random" (by patient),
            "column" (of the label file); empty for the first of them that the input allows, but
            ChestX-ray14 never falls back to random.
        validation_fraction: share of the train_val images that becomes validation, 0 to 0.5; whole
            patients, with each finding in proportion.
        test_fraction: share of all images that a random split puts into test, likewise.
        split_salt: text mixed into the patient hash; another salt gives another, equally valid,
            random split or validation set.
        examples_per_shard: upper bound of records in one shard, the unit of work and of retry.
            512 PNG records of 256 px are about 17 MB.
        max_rejected_fraction: share of unusable images above which the job fails; each one is
            listed in rejected.csv in any case.
        table: how other label files than ChestX-ray14's are read.
        words: a hospital's own words or phrases for parts of the body and views, in tags of DICOM
            files and in the view column, each with its meaning: chest, other (part of the body),
            paper, PA, AP, frontal, not_frontal or nothing. Those that are known stand in
            preprocessing/contract/vocabulary.py.
    """

    findings: list[str] = dataclasses.field(default_factory=lambda: list(CHESTXRAY14_FINDINGS))
    stored_size: int = 256
    encoding: str = "png"
    source_px: int = 0
    split: str = ""
    validation_fraction: float = 0.125
    test_fraction: float = 0.2
    split_salt: str = "cxr14"
    examples_per_shard: int = 512
    max_rejected_fraction: float = 0.001
    table: Table = dataclasses.field(default_factory=Table)
    words: dict[str, str] = dataclasses.field(default_factory=dict)

    def validate(self) -> None:
        """Checks that the settings can work together.

        Raises:
            ConfigError: the first setting that cannot work, in one sentence.
        """
        if not self.findings:
            raise ConfigError("findings is empty: name at least one finding")
        if len(set(self.findings)) != len(self.findings):
            raise ConfigError("findings names a finding twice: give each one once")
        if not 16 <= self.stored_size <= 4096:
            raise ConfigError(f"stored_size is {self.stored_size}: use 16 to 4096 pixels")
        if self.encoding not in ENCODINGS:
            raise ConfigError(f"encoding is {self.encoding!r}: use {' or '.join(ENCODINGS)}")
        if self.source_px < 0:
            raise ConfigError(f"source_px is {self.source_px}: use a side in pixels, or 0 for any")
        if self.split not in SPLIT_METHODS:
            raise ConfigError(f"split is {self.split!r}: use lists, random, column or nothing")
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < getattr(self, name) <= 0.5:
                raise ConfigError(f"{name} is {getattr(self, name)}: use a share up to 0.5")
        if not 0 <= self.max_rejected_fraction < 1:
            raise ConfigError(
                f"max_rejected_fraction is {self.max_rejected_fraction}: use 0 to below 1"
            )
        if self.examples_per_shard < 1:
            raise ConfigError(f"examples_per_shard is {self.examples_per_shard}: use 1 or more")
        self.table.validate()
        vocabulary.of(self.words)
