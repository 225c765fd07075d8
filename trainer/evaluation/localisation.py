# SPDX-License-Identifier: MIT
"""Whether heat maps lie where the radiologists drew their boxes, compared with two trivial answers.

A case is one finding in one image, with one box or more. Every method answers a case with a place
and with boxes:

- `heat_map`: the highest point of the map, and the boxes that it draws (`boxes.drawn_by`);
- `centre`: the centre of the image, and a box of the finding's average width and height there;
- `average_box`: the average box of the finding and its centre.

Averages are over the boxes of all other patients. They know of the test set what the map does not
know, so they are hard to beat and cost nothing.

Measures: the pointing game (Zhang et al., ECCV 2016; here without a margin round the box) asks
whether the place lies in a box of the case. Accuracy is the share of true boxes that a drawn box
meets with IoU, or with IoBB, above a threshold, and false positives are the drawn boxes of a case
that meet none (Wang et al., CVPR 2017, section 4).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.evaluation import boxes, intervals
from trainer.evaluation.boxes import Boxes
from trainer.evaluation.intervals import Interval
from trainer.predictions.placement import Placement

METHODS = ("heat_map", "centre", "average_box")
IOU_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
IOBB_THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9)
_CRITERIA = len(IOU_THRESHOLDS) + len(IOBB_THRESHOLDS)
# Of a normal distribution, for the interval of Wilson.
_Z95 = 1.959963984540054
# With fewer patients their resamples are too few different ones to give an interval of a share.
_FEW_PATIENTS = 20

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One finding in one image.

    Attributes:
        image: the place of the image in its split.
        patient: of the image.
        finding: name.
        true: what the radiologists drew, corners, [b, 4].
        heat: the map, [cells, cells], not negative.
    """

    image: int
    patient: str
    finding: str
    true: Boxes
    heat: npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Measures:
    """How well one method does.

    Attributes:
        pointing: share of cases whose place lies in a box.
        gain: that share minus the one of `average_box`, from the same resamples.
        accuracy: for each threshold of IoU, then of IoBB, the share of true boxes that are met.
        false_positives: likewise the drawn boxes of a case that meet no true one, on average.
    """

    pointing: Interval
    gain: Interval
    accuracy: tuple[Interval, ...]
    false_positives: tuple[Interval, ...]


def answers(cases: list[Case], placement: Placement) -> dict[str, Floats]:
    """Asks every method about cases of one finding, and counts.

    Args:
        cases: all of one finding, one or more.
        placement: of their maps.

    Returns:
        method -> float64 [cases, 3 + 2 * criteria]: cases, true boxes, hits of the pointing game,
        true boxes that are met by each criterion, false positives by each criterion. A row of zeros
        is a case on which the method is silent, as an average over no other patient.
    """
    # 1. The average box of all other patients, one a case. Of several boxes in one case any would
    #    do: all leave out the same patient.
    sizes = [len(case.true) for case in cases]
    true = np.concatenate([case.true for case in cases])
    patients = np.repeat([case.patient for case in cases], sizes)
    average = boxes.averages_of_others(true, patients)[np.cumsum(sizes) - sizes]
    # 2. The same size round the centre of the image, for a method that knows no place.
    half = (average[:, 2:] - average[:, :2]) / 2
    central = np.concatenate([0.5 - half, 0.5 + half], axis=1)
    # 3. Every method is judged by the same counts.
    rows: dict[str, list[Floats]] = {method: [] for method in METHODS}
    for case, middle, mean in zip(cases, central, average, strict=True):
        drawn = boxes.drawn_by(case.heat, placement)
        rows["heat_map"].append(_row(case.true, placement.peak(case.heat), drawn))
        rows["centre"].append(_trivial(case.true, middle))
        rows["average_box"].append(_trivial(case.true, mean))
    return {method: np.array(found) for method, found in rows.items()}


def measure(
    cases: Mapping[str, list[Case]], placement: Placement, draws: intervals.Resamples
) -> tuple[dict[str, dict[str, Measures]], dict[str, Measures]]:
    """Measures every method, with 95% intervals by the patient-level bootstrap.

    Args:
        cases: finding -> all of its cases, one or more.
        placement: of their maps.
        draws: the resamples of all images of the split.

    Returns:
        finding -> method -> measures; and method -> unweighted means over the findings in which
        every method has an answer. A share over few patients, or one of 0 or 1, which is the same
        in every resample, has the interval of Wilson (J. Am. Stat. Assoc. 1927; 22:209-212) with
        the patients as trials.
    """
    found: dict[str, dict[str, Measures]] = {}
    values, drawn = [], []
    for finding, own in cases.items():
        counts = np.stack(list(answers(own, placement).values()), axis=1)
        chosen = draws.select(np.array([case.image for case in own]))
        values.append(_ratios(counts.sum(axis=0)))
        drawn.append(
            _ratios(chosen.sums(counts.reshape(len(own), -1)).reshape(-1, *counts.shape[1:]))
        )
        patients = people.count(case.patient for case in own)
        found[finding] = _measures(values[-1], drawn[-1], patients)
    defined = [at for at, value in enumerate(values) if not np.isnan(value).any()]
    if not defined:
        nothing = np.full_like(values[0], np.nan)
        return found, _measures(nothing, nothing[None], None)
    mean = np.mean([values[at] for at in defined], axis=0)
    return found, _measures(mean, np.mean([drawn[at] for at in defined], axis=0), None)


def reachable(cases: list[Case], placement: Placement) -> float:
    """Returns the share of cases that the pointing game allows a map to hit.

    A map points at the centre of a cell, so a box between the centres cannot be hit.

    Args:
        cases: of one finding, one or more.
        placement: of their maps.
    """
    centres = placement.centres(cases[0].heat.shape[0]).tolist()
    hits = [any(boxes.holds(case.true, x, y) for y in centres for x in centres) for case in cases]
    return sum(hits) / len(hits)


def wilson(share: float, trials: int) -> tuple[float, float]:
    """Returns the ends of Wilson's 95% interval of a share.

    >>> wilson(0.0, 10)
    (0.0, 0.2775327998628892)
    """
    middle = share + _Z95**2 / (2 * trials)
    spread = _Z95 * np.sqrt(share * (1 - share) / trials + _Z95**2 / (4 * trials**2))
    scale = 1 + _Z95**2 / trials
    low, high = (middle - spread) / scale, (middle + spread) / scale
    # Exactly, not but for rounding.
    return float(low) if share > 0 else 0.0, float(high) if share < 1 else 1.0


def _trivial(true: Boxes, box: Floats) -> Floats:
    if np.isnan(box).any():
        return np.zeros(3 + 2 * _CRITERIA)
    x, y = (box[:2] + box[2:]) / 2
    return _row(true, (float(x), float(y)), box[None])


def _row(true: Boxes, place: tuple[float, float] | None, drawn: Boxes) -> Floats:
    """Counts of one case, see `answers`."""
    iou, iobb = boxes.overlaps(drawn, true)
    meets = [iou > threshold for threshold in IOU_THRESHOLDS]
    meets += [iobb > threshold for threshold in IOBB_THRESHOLDS]
    met = [met.any(axis=0).sum() for met in meets]
    false = [(~met.any(axis=1)).sum() for met in meets]
    hit = place is not None and boxes.holds(true, *place)
    return np.array([1, len(true), hit, *met, *false], np.float64)


def _ratios(counts: Floats) -> Floats:
    """Turns sums of counts [..., 3 + 2 * criteria] into measures [..., 1 + 2 * criteria]."""
    per_case, per_box = counts[..., :1], counts[..., 1:2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate(
            [
                counts[..., 2:3] / per_case,
                counts[..., 3 : 3 + _CRITERIA] / per_box,
                counts[..., 3 + _CRITERIA :] / per_case,
            ],
            axis=-1,
        )


def _measures(values: Floats, drawn: Floats, patients: int | None) -> dict[str, Measures]:
    """Puts measures [methods, m] and their resamples [B, methods, m] together.

    `patients` is None for means, which are not shares of anything.
    """
    last = METHODS.index("average_box")
    found = {}
    for at, method in enumerate(METHODS):
        pairs = list(zip(values[at].tolist(), drawn[:, at].T, strict=True))
        shares = [_share(*pair, patients) for pair in pairs[: 1 + _CRITERIA]]
        numbers = [_number(*pair) for pair in pairs[1 + _CRITERIA :]]
        gain = _number(float(values[at, 0] - values[last, 0]), drawn[:, at, 0] - drawn[:, last, 0])
        found[method] = Measures(shares[0], gain, tuple(shares[1:]), tuple(numbers))
    return found


def _share(value: float, drawn: Floats, patients: int | None) -> Interval:
    interval = _number(value, drawn)
    if np.isnan(value) or patients is None:
        return interval
    if value in (0.0, 1.0) or patients < _FEW_PATIENTS:
        return Interval(value, *wilson(value, patients), interval.dropped_resamples)
    return interval


def _number(value: float, drawn: Floats) -> Interval:
    """An interval, without ends where all resamples agree: they say nothing of luck then."""
    interval = intervals.percentile(value, drawn)
    usable = drawn[~np.isnan(drawn)]
    if len(usable) and (usable == usable[0]).all():
        return Interval(interval.value, None, None, interval.dropped_resamples)
    return interval
