# SPDX-License-Identifier: MIT
"""What a report is made from: predictions, and what else was given with them."""

import dataclasses
import functools
from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from trainer.evaluation import intervals, recalibration_effect
from trainer.evaluation.auc import Floats
from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report.asked import Asked

# Key of a context, where the test is an external one of a finished model, of facts of that model:
# `model`, `step`, `thresholds` (finding -> rule -> threshold on raw scores), `calibration`, more.
EXTERNAL = "external_test"
# Of these: whether films are of another data set than the model's own, "yes", "no", "not known".
ANOTHER = "films of another data set"
# And: split -> finding -> [positives, images with a known label] of the model's own data.
COUNTS = "positives and known labels of the model's own data"
SPLIT_ORDER = ("test", "validation", "train")


def called(context: Mapping[str, Any]) -> str:
    """Returns what the test of a finished model is called; empty for a report of a run itself."""
    names = {"no": "Test of a finished model", "yes": "External test on another data set"}
    facts = context.get(EXTERNAL)
    return "" if facts is None else names.get(facts.get(ANOTHER), "External test")


def headline(splits: Container[str]) -> str:
    """Returns the split that a report is about: test, or else validation, or else train."""
    return next(name for name in SPLIT_ORDER if name in splits)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Everything that a section may use; what was not given is None or empty.

    Attributes:
        predictions: one or more splits.
        resamples: of patients, behind every interval; 1 or more.
        seed: of the resamples.
        context: facts of the run (`manifest`, `training`, `config`), as in report.json; or of an
            external test (`EXTERNAL`).
        metadata: age, sex, view and more of images, those of the train split too if known.
        compared: predictions of other models on the same images, by the names of their files.
        radiologists: path of a file of radiologists' labels; empty for none.
        beside: the folder that the predictions lie in, where evaluation may have left heat maps
            and pictures; empty for none.
        asked: what the command line fixed before any figure was seen.
    """

    predictions: Predictions
    resamples: int = 1000
    seed: int = 0
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    metadata: Metadata | None = None
    compared: Mapping[str, Predictions] = dataclasses.field(default_factory=dict)
    radiologists: str = ""
    beside: str = ""
    asked: Asked = Asked()

    @functools.cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows, in the order train, validation, test."""
        return self.predictions.split_names

    @functools.cache  # noqa: B019 - a source lives as long as its report is made
    def rows(self, split: str) -> Predictions:
        """Returns the images of one split."""
        return self.predictions.select(split)

    @functools.cache  # noqa: B019
    def draws(self, split: str) -> intervals.Resamples:
        """Returns the resamples of patients of one split, the same for every section.

        They are drawn within strata, so that each has its patients with a rare finding. What
        depends on how many these are needs `free_draws`.
        """
        return self._drawn(split, self.rows(split).labels)

    @functools.cache  # noqa: B019
    def free_draws(self, split: str) -> intervals.Resamples:
        """Returns resamples of patients without strata, for figures that depend on prevalence.

        Strata hold the number of patients with a rare finding still, and with it half of the luck
        that a predictive value, a net benefit or observed over expected has.
        """
        return self._drawn(split, np.zeros_like(self.rows(split).labels))

    @functools.cached_property
    def calibrations(self) -> Mapping[str, Mapping[str, Any]]:
        """What was fitted on validation to calibrate each finding's scores, by its name.

        As `recalibration_effect.fitted` returns it. Empty without a validation split, and of an
        external test, to which nothing is fitted.
        """
        if EXTERNAL in self.context or "validation" not in self.splits:
            return {}
        rows = self.rows("validation")
        columns = zip(rows.findings, rows.labels.T, rows.scores.T, strict=True)
        return {
            name: recalibration_effect.fitted(labels, scores, rows.patients, seed=self.seed)
            for name, labels, scores in columns
        }

    @property
    def elsewhere(self) -> bool:
        """Whether manifests say that the films are of another data set than the model's."""
        return bool(self.context.get(EXTERNAL, {}).get(ANOTHER) == "yes")

    @property
    def headline(self) -> str:
        """The split that the report is about."""
        return headline(self.splits)

    def _drawn(self, split: str, labels: Floats) -> intervals.Resamples:
        patients = self.rows(split).patients
        return intervals.resample(patients, labels, resamples=self.resamples, seed=self.seed)
