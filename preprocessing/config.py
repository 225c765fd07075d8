# SPDX-License-Identifier: MIT
"""Every setting of the preprocessing job, typed, with the one place where finding names are typed.

The names and their order travel from here into the manifest, and from the manifest into the model's
width, the predictions, the report and the SavedModel.
"""

import dataclasses

from preprocessing.contract.errors import ConfigError

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


@dataclasses.dataclass
class Config:
    """Settings of one preprocessing job.

    Attributes:
        findings: names as they stand in the label file; their order is the order of the model's
            outputs.
        stored_size: side in pixels of the square grey picture in each record. A crop of 7/8 of it
            is the usual model input: 256 serves 224, 512 serves 448.
        validation_fraction: share of the train_val patients that becomes validation, 0 to 0.5.
        split_salt: text mixed into the patient hash that carves validation; another salt gives
            another, equally valid, validation set.
        examples_per_shard: upper bound of records in one shard, the unit of work and of retry.
            512 PNG records of 256 px are about 17 MB.
        max_rejected_fraction: share of unusable images above which the job fails; each one is
            listed in rejected.csv in any case.
    """

    findings: list[str] = dataclasses.field(default_factory=lambda: list(CHESTXRAY14_FINDINGS))
    stored_size: int = 256
    validation_fraction: float = 0.125
    split_salt: str = "cxr14"
    examples_per_shard: int = 512
    max_rejected_fraction: float = 0.001

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
        if not 0 < self.validation_fraction <= 0.5:
            raise ConfigError(
                f"validation_fraction is {self.validation_fraction}: use a share up to 0.5"
            )
        if not 0 <= self.max_rejected_fraction < 1:
            raise ConfigError(
                f"max_rejected_fraction is {self.max_rejected_fraction}: use 0 to below 1"
            )
        if self.examples_per_shard < 1:
            raise ConfigError(f"examples_per_shard is {self.examples_per_shard}: use 1 or more")
