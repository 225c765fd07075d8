# SPDX-License-Identifier: MIT
"""How often 95% intervals cover the AUC, and tests at 5% err, for patients of several images.

    python -m benchmarks.coverage [--data-sets=2000] [--resamples=1000]

Simulated patients have 1 to 9 images that share the label and, to a degree, the score. The AUC of
the population is known in closed form, so that coverage can be counted. A second model is exactly
as good as the first, with which its scores share half of their luck: a test that finds a difference
errs, which should happen in 5% of the data sets.
"""

import argparse
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trainer.evaluation import clustered, comparison, delong
from trainer.evaluation.auc import auroc
from trainer.evaluation.intervals import Interval, percentile
from trainer.evaluation.resamples import resample

_SHIFT, _MOST_IMAGES = 0.9, 9
# Patients, share of them with the finding, share of the score's variance that a patient's images
# have in common.
_CASES = ((120, 0.4, 0.5), (120, 0.4, 0.0), (600, 0.1, 0.5), (2800, 0.05, 0.5))
# For images: normal scores with unit variance, shifted for positives.
TRUE_AUC = NormalDist().cdf(_SHIFT / 2**0.5)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]


def main() -> None:
    """Prints a table of coverages and widths, and one of tests that erred."""
    parser = argparse.ArgumentParser(description="counts how often intervals cover and tests err")
    parser.add_argument("--data-sets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    arguments = parser.parse_args()
    print("| patients | with the finding | shared variance | interval | covers | mean width |")
    print("|---|---|---|---|---|---|")
    errors = []
    for patients, share, common in _CASES:
        found: dict[str, list[Interval]] = {}
        chances: dict[str, list[float | None]] = {}
        for seed in range(arguments.data_sets):
            data = _draw(seed, patients, share=share, common=common)
            intervals, tests = _measured(*data, arguments.resamples, seed)
            for kind, interval in intervals.items():
                found.setdefault(kind, []).append(interval)
            for kind, p_value in tests.items():
                chances.setdefault(kind, []).append(p_value)
        case = f"| {patients} | {share:.0%} | {common:.0%}"
        for kind, each in found.items():
            ends = [(one.low, one.high) for one in each if one.low is not None]
            low, high = np.array(ends, dtype=np.float64).T
            covered = float(((low <= TRUE_AUC) & (high >= TRUE_AUC)).mean())
            width = float((high - low).mean())
            print(f"{case} | {kind} | {covered:.1%} | {width:.4f} |", flush=True)
        for kind, values in chances.items():
            erred = float((np.array(values, dtype=np.float64) < 0.05).mean())
            errors.append(f"{case} | {kind} | {erred:.1%} |")
    print("\n| patients | with the finding | shared variance | test | p below 0.05 |")
    print("|---|---|---|---|---|", *errors, sep="\n")


def _draw(
    seed: int, patients: int, *, share: float, common: float
) -> tuple[Floats, Floats, Floats, Integers]:
    """Labels, scores of two models and patients of one data set."""
    generator = np.random.default_rng(seed)
    images = generator.integers(1, _MOST_IMAGES + 1, patients)
    patient = np.repeat(np.arange(patients), images)
    labels = (generator.random(patients) < share).astype(np.float64)[patient]

    def luck() -> Floats:
        shared = generator.normal(0, common**0.5, patients)[patient]
        own: Floats = shared + generator.normal(0, (1 - common) ** 0.5, len(patient))
        return own

    first, second = luck(), luck()
    scores = [_SHIFT * labels + one for one in (first, (first + second) / 2**0.5)]
    return labels, scores[0], scores[1], patient


def _measured(
    labels: Floats, first: Floats, second: Floats, patients: Integers, resamples: int, seed: int
) -> tuple[dict[str, Interval], dict[str, float | None]]:
    """The intervals of the first model's AUC, and the p-values of the tests of both models."""
    areas, column = [auroc(labels, scores) for scores in (first, second)], labels[:, np.newaxis]
    by_patient, by_image = (
        resample(owners, column, resamples=resamples, seed=seed)
        for owners in (patients, np.arange(len(labels)))
    )
    drawn = [by_patient.aucs(labels, scores) for scores in (first, second)]
    pulls = [clustered.deviations(labels, scores, patients) for scores in (first, second)]
    alone = [delong.deviations(labels, scores) for scores in (first, second)]
    symmetric = NormalDist().inv_cdf(0.975) * float((pulls[0] ** 2).sum()) ** 0.5
    gap = areas[1] - areas[0]
    intervals = {
        "patients resampled": percentile(areas[0], drawn[0]),
        "clustered": clustered.interval(labels, first, patients),
        "clustered, symmetric": Interval(areas[0], areas[0] - symmetric, areas[0] + symmetric),
        "images resampled": percentile(areas[0], by_image.aucs(labels, first)),
        "DeLong": delong.interval(labels, first),
    }
    tests = {
        "patients resampled": comparison.p_value(gap, drawn[1] - drawn[0]),
        "clustered": delong.paired_test(gap, pulls[1] - pulls[0]).p_value,
        "DeLong": delong.paired_test(gap, alone[1] - alone[0]).p_value,
    }
    return intervals, tests


if __name__ == "__main__":
    main()
