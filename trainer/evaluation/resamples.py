# SPDX-License-Identifier: MIT
"""Resamples of patients, and what comes of an AUC, an average precision or a sum in each of them.

Patients are drawn with replacement, all images of a patient together (cluster bootstrap: Field and
Welsh, J. R. Stat. Soc. B 2007; 69:369-390), within strata, so that a rare finding is not lost from
a resample (stratified bootstrap: Davison and Hinkley, Bootstrap Methods and their Application,
1997, section 3.2). A resample only changes how often an image counts. Each finding is therefore
sorted once, and its exact areas are a few sums over the sorted images, for many resamples at a
time.
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.evaluation.auc import Floats
from trainer.evaluation.ranking import Ranking

# Counts of one chunk of resamples, taken at every image: they stay in a processor's cache.
_CHUNK = 2**19

_Areas = npt.NDArray[np.float64]
_Measure = Callable[[Ranking, npt.NDArray[np.uint16]], _Areas]


@dataclasses.dataclass(frozen=True, eq=False)
class Resamples:
    """How often each patient is in each of B resamples, for n images.

    Attributes:
        counts: uint16 [patients, B], those of a resample side by side (order "F").
        patient_of: the row of `counts` that holds the patient of each image, int [n].
    """

    counts: npt.NDArray[np.uint16]
    patient_of: npt.NDArray[np.intp]
    # Areas by what they are of: several sections of a report ask for the same ones.
    _made: dict[bytes, _Areas] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def number(self) -> int:
        """How many resamples there are: B."""
        return int(self.counts.shape[1])

    def select(self, mask: npt.NDArray[Any]) -> "Resamples":
        """Returns the same draws for some of the images only.

        Args:
            mask: bool [n], or the positions of the images, int [m]; a position may occur twice.
        """
        return Resamples(self.counts, self.patient_of[mask], self._made)

    def owners(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
        """Returns of how many patients the images of a mask, bool [n, ...], are: int [...]."""
        columns = mask.reshape(len(mask), math.prod(mask.shape[1:])).T
        found = [len(np.unique(self.patient_of[column])) for column in columns]
        return np.array(found, dtype=np.intp).reshape(mask.shape[1:])

    def several(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Returns whether images are of two patients or more, without whom there is no interval.

        Drawing one patient again and again says nothing of what others would have given.

        Args:
            mask: which images, bool [n, ...].

        Returns:
            bool [...].
        """
        return np.asarray(self.owners(mask) > 1)

    def aucs(self, labels: Floats, scores: Floats) -> npt.NDArray[np.float64]:
        """Returns the exact AUC in every resample, as `areas`."""
        auc: npt.NDArray[np.float64] = self._known(labels, scores, Ranking.aucs)[0]
        return auc

    def areas(
        self, labels: Floats, scores: Floats
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Returns the exact AUC and the exact average precision in every resample.

        Args:
            labels: [n]; 1, 0 or NaN for unknown (left out).
            scores: [n]; any real numbers, higher means more suspicious.

        Returns:
            Two of float64 [B]. NaN where a resample holds no positive or no negative, and
            everywhere where the positives or the negatives are all of one patient: drawing patients
            then says nothing of what others would have given. Read-only: they are given again.
        """
        auc, precision = self._known(labels, scores, Ranking.areas)
        return auc, precision

    def _known(self, labels: Floats, scores: Floats, measure: _Measure) -> _Areas:
        """What was made of these images before, or else is made now: a row an area."""
        key = hashlib.blake2b()
        for part in (self.patient_of, labels, scores):
            key.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        made = self._made.get(key.digest())
        if made is None or (len(made) == 1 and measure is Ranking.areas):
            made = self._made[key.digest()] = self._areas(labels, scores, measure)
            made.flags.writeable = False
        return made

    def _areas(self, labels: Floats, scores: Floats, measure: _Measure) -> _Areas:
        if not (self.several(labels == 1) and self.several(labels == 0)):
            return np.full((2, self.number), np.nan)
        known = np.flatnonzero(~np.isnan(labels))
        ranking = Ranking.of(labels[known], scores[known], self.patient_of[known])
        parts = [measure(ranking, self.counts[:, part]) for part in self._chunks(len(known))]
        return np.concatenate(parts, axis=1)

    def sums(self, values: Floats | npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Returns, in every resample, the sum over images of count times value.

        Args:
            values: [n, k] or [n]; finite, since a NaN would spread to every resample.

        Returns:
            float64 [B, k], or [B] of values [n]. Exact for whole numbers below 2**53.
        """
        columns = np.asarray(values, dtype=np.float64)
        flat = columns[:, np.newaxis] if columns.ndim == 1 else columns
        own, patient_of = np.unique(self.patient_of, return_inverse=True)
        table = np.empty((len(own), flat.shape[1]))
        for position, column in enumerate(flat.T):
            table[:, position] = np.bincount(patient_of, column, len(own))
        result = np.empty((self.number, flat.shape[1]))
        for part in self._chunks(len(own)):
            result[part] = self.counts.T[part].take(own, axis=1).astype(np.float64) @ table
        return result.reshape(self.number, *columns.shape[1:])

    def _chunks(self, rows: int) -> Iterator[slice]:
        """A few resamples at a time, fewer the more rows of their counts are taken."""
        width = max(1, _CHUNK // max(1, rows))
        for start in range(0, self.number, width):
            yield slice(start, min(start + width, self.number))


def resample(patients: npt.NDArray[Any], labels: Floats, *, resamples: int, seed: int) -> Resamples:
    """Draws patients with replacement within strata.

    Args:
        patients: [n], the patient of each image. An own name for every image gives the image-level
            bootstrap.
        labels: [n, L]; 1, 0 or NaN for unknown; they decide the strata.
        resamples: how many times to draw, 1 or more; 1,000 is usual.
        seed: of the draws. The same patients, labels and seed give the same draws.

    Raises:
        ValueError: `resamples` is below 1.
    """
    if resamples < 1:
        raise ValueError(f"{resamples} resamples; at least 1 is needed")
    # 1. Patients as numbers, and the stratum of each.
    number, patient_of = people.numbered(patients)
    stratum = strata(patient_of, labels)
    # 2. Patients of a stratum side by side, so that a draw is its start plus a number below its
    #    size, and one call draws for all patients of all strata.
    order = np.argsort(stratum, kind="stable")
    _, starts, sizes = np.unique(stratum[order], return_index=True, return_counts=True)
    first, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    # 3. As many draws from a stratum as it has patients: its share of a resample never changes.
    #    The stream of PCG64 is fixed by NumPy, so that a seed gives the same draws anywhere.
    generator = np.random.Generator(np.random.PCG64(seed))
    counts = np.empty((number, resamples), dtype=np.uint16, order="F")
    for column in range(resamples):
        drawn = first + generator.integers(0, size)
        counts[order, column] = np.bincount(drawn, minlength=number)
    return Resamples(counts, patient_of)


def strata(patient_of: npt.NDArray[np.intp], labels: Floats) -> npt.NDArray[np.intp]:
    """Returns the stratum of each patient: the rarest finding that any image of the patient shows.

    Rare means of few positive patients. The number of a stratum is the column of the finding, or
    the number of findings where there is none. A patient alone in a stratum would be drawn exactly
    once every time, as if there were no luck in meeting that patient. Findings of one patient are
    therefore passed over, and who still is alone joins those without a finding.

    Args:
        patient_of: the number of the patient of each image, int [n], from 0 without a gap.
        labels: [n, L].

    Returns:
        int [patients].
    """
    findings = labels.shape[1]
    # 1. Which findings each patient shows in any image; those of one patient alone are passed over.
    positive = np.zeros((int(patient_of.max(initial=-1)) + 1, findings), dtype=bool)
    image, finding = np.nonzero(labels == 1)
    positive[patient_of[image], finding] = True
    positive[:, positive.sum(axis=0) == 1] = False
    # 2. The columns from the rarest on, and behind them one that is always true: the first true
    #    one is the stratum.
    rising = np.argsort(positive.sum(axis=0), kind="stable")
    by_rarity = np.column_stack([positive[:, rising], np.ones(len(positive), dtype=bool)])
    stratum: npt.NDArray[np.intp] = np.append(rising, findings)[by_rarity.argmax(axis=1)]
    # 3. A finding of several patients can still be the rarest of only one of them.
    alone = np.bincount(stratum, minlength=findings + 1)[stratum] == 1
    stratum[alone] = findings
    return stratum
