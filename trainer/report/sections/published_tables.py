# SPDX-License-Identifier: MIT
"""Published AUCs on the official test list of ChestX-ray14, with their sources.

Results on other test images of the same data set, CheXNet's 0.841 among them, are left out: they
cannot be compared with any of these.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

FINDINGS = (
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

# Positives of each finding on the official test list, counted in Data_Entry_2017_v2020.csv. The
# labels of the first release of 2017 lack some of them.
TEST_POSITIVES: Mapping[str, int] = dict(
    zip(
        FINDINGS,
        (3279, 1069, 4658, 6112, 1748, 1623, 555, 2665, 1815, 925, 1093, 435, 1143, 86),
        strict=True,
    )
)


@dataclasses.dataclass(frozen=True)
class Result:
    """A published result.

    Attributes:
        name: of the model.
        year: of publication.
        pixels: side of the input in pixels; None where it is not stated or there is no image.
        mean_auc: over the 14 findings.
        spread: standard deviation over several training runs, if published.
        low: lower end of the published 95% interval, if any.
        high: upper end.
        findings: AUCs in the order of `FINDINGS`; empty where they are not known here.
        chosen_on: the images by which the checkpoint was chosen, "validation" or "test"; "" where
            that is not stated.
        source: where it is published.
        remark: what else a reader must know.
    """

    name: str
    year: int
    pixels: int | None
    mean_auc: float
    source: str
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    findings: tuple[float, ...] = ()
    chosen_on: str = ""
    remark: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns the attributes, the findings by name, None where one is not known here."""
        aucs = self.findings or (None,) * len(FINDINGS)
        return {**dataclasses.asdict(self), "findings": dict(zip(FINDINGS, aucs, strict=True))}


_XRVIT = "github.com/Tabassum-Sumaiya13/XrVit, RESULTS.md"
_BENCHMARK = (
    "Hosseinzadeh Taher et al., MICCAI DART 2021, arXiv:2108.05930; figures in "
    "github.com/jlianglab/BenchmarkTransferLearning"
)

RESULTS = (
    Result(
        name="View position alone, no image",
        year=2026,
        pixels=None,
        mean_auc=0.5883,
        source="huggingface.co/RiverRider/srt-cxr14-linear-probe",
        remark="with the better direction of each finding on the test images",
    ),
    Result(
        name="ResNet-50, the paper of the data set",
        year=2017,
        pixels=1024,
        mean_auc=0.7451,
        findings=(0.7003, 0.8100, 0.7585, 0.6614, 0.6933, 0.6687, 0.6580, 0.7993, 0.7032, 0.8052)
        + (0.8330, 0.7859, 0.6835, 0.8717),
        source="Wang et al., CVPR 2017, arXiv:1705.02315v5, table 17",
    ),
    Result(
        name="ResNet-38 for radiographs, with age, sex and view",
        year=2019,
        pixels=448,
        mean_auc=0.806,
        source="Baltruschat et al., Scientific Reports 2019; 9:6381",
        remark="it is told what the baselines without image know",
    ),
    Result(
        name="ResNet-50 from scratch",
        year=2021,
        pixels=224,
        mean_auc=0.8031,
        spread=0.0010,
        chosen_on="validation",
        source=_BENCHMARK,
        remark="mean of ten crops",
    ),
    Result(
        name="ResNet-50 from ImageNet",
        year=2021,
        pixels=224,
        mean_auc=0.8170,
        spread=0.0015,
        chosen_on="validation",
        source=_BENCHMARK,
        remark="mean of ten crops",
    ),
    Result(
        name="ResNet-50 from ImageNet, then CheXpert",
        year=2021,
        pixels=224,
        mean_auc=0.8225,
        spread=0.0018,
        chosen_on="validation",
        source=_BENCHMARK,
        remark="mean of ten crops; CheXpert holds 224,316 more radiographs",
    ),
    Result(
        name="SwinCheX (Swin-L)",
        year=2022,
        pixels=224,
        mean_auc=0.810,
        findings=(0.781, 0.875, 0.824, 0.701, 0.822, 0.780, 0.713, 0.871, 0.748, 0.848, 0.914)
        + (0.826, 0.778, 0.855),
        source="Taslimi et al. 2022, arXiv:2206.04246",
    ),
    Result(
        name="EVA-X-B",
        year=2024,
        pixels=224,
        mean_auc=0.835,
        chosen_on="test",
        source="github.com/hustvl/EVA-X, classification/README",
        remark="the epoch was chosen on these test images, so the figure is somewhat too high",
    ),
    Result(
        name="ConvNeXt-Tiny",
        year=2026,
        pixels=384,
        mean_auc=0.8263,
        low=0.8200,
        high=0.8317,
        findings=(0.790, 0.888, 0.839, 0.709, 0.846, 0.798, 0.727, 0.882, 0.761, 0.858, 0.936)
        + (0.829, 0.794, 0.910),
        chosen_on="validation",
        source=_XRVIT,
    ),
    Result(
        name="RAD-DINO, fine-tuned",
        year=2026,
        pixels=518,
        mean_auc=0.8364,
        low=0.8303,
        high=0.8415,
        findings=(0.798, 0.898, 0.843, 0.709, 0.851, 0.803, 0.729, 0.904, 0.761, 0.856, 0.949)
        + (0.849, 0.814, 0.944),
        chosen_on="validation",
        source=_XRVIT,
        remark="trained before on many other radiographs",
    ),
    Result(
        name="Average of RAD-DINO and a distilled ConvNeXt-Tiny",
        year=2026,
        pixels=518,
        mean_auc=0.8428,
        low=0.8373,
        high=0.8478,
        findings=(0.804, 0.904, 0.848, 0.717, 0.860, 0.817, 0.742, 0.905, 0.772, 0.866, 0.948)
        + (0.851, 0.817, 0.949),
        chosen_on="validation",
        source=_XRVIT,
        remark="the highest figure on the official list that is known here",
    ),
)


@dataclasses.dataclass(frozen=True)
class Level:
    """A mean AUC on the official test list, and what reaching it means."""

    mean_auc: float
    meaning: str


LEVELS = (
    Level(0.63, "more than metadata give without any image (0.59 to 0.63)"),
    Level(0.805, "what careful single networks at 224 to 320 pixels reach"),
    Level(
        0.817,
        "a ResNet-50 from ImageNet at its best published, \N{PLUS-MINUS SIGN}0.002 between runs",
    ),
    Level(0.822, "more pretraining on radiographs, or a newer network at 384 pixels"),
    Level(0.834, "knowledge from a model of many more radiographs, or an average of models"),
)
