# SPDX-License-Identifier: MIT
"""How often each kind of 95% interval covers the AUC of the population, on simulated clusters.

    python -m benchmarks.coverage [--data-sets=2000] [--resamples=1000]

Patients have 1 to 9 images that share the label and, to a degree, the score. The AUC of the
population is known in closed form, so that coverage can be counted.
"""

import argparse
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trainer.evaluation import delong
from trainer.evaluation.auc import auroc
from trainer.evaluation.intervals import Interval, percentile
from trainer.evaluation.resamples import resample

_SHIFT, _MOST_IMAGES = 0.9, 9
# Patients, share of them with the finding, share of the score's variance that a patient's images
# have in common.
_CASES = ((120, 0.4, 0.5), (120, 0.4, 0.0), (600, 0.1, 0.5), (2800, 0.05, 0.5))
# For images: normal scores with unit variance, shifted for positives.
TRUE_AUC = NormalDist().cdf(_SHIFT / 2**0.5)


def main() -> None:
    """Prints a table of coverages and widths."""
    parser = argparse.ArgumentParser(description="counts how often intervals cover")
    parser.add_argument("--data-sets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    arguments = parser.parse_args()
    print("| patients | with the finding | shared variance | interval | covers | mean width |")
    print("|---|---|---|---|---|---|")
    for patients, share, common in _CASES:
        found: dict[str, list[Interval]] = {}
        for seed in range(arguments.data_sets):
            data = _draw(seed, patients, share=share, common=common)
            for kind, interval in _intervals(*data, arguments.resamples, seed).items():
                found.setdefault(kind, []).append(interval)
        for kind, intervals in found.items():
            ends = [(one.low, one.high) for one in intervals if one.low is not None]
            low, high = np.array(ends, dtype=np.float64).T
            covered = float(((low <= TRUE_AUC) & (high >= TRUE_AUC)).mean())
            width = float((high - low).mean())
            case = f"| {patients} | {share:.0%} | {common:.0%}"
            print(f"{case} | {kind} | {covered:.1%} | {width:.4f} |", flush=True)


def _draw(
    seed: int, patients: int, *, share: float, common: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Labels, scores and patients of one data set."""
    generator = np.random.default_rng(seed)
    images = generator.integers(1, _MOST_IMAGES + 1, patients)
    patient = np.repeat(np.arange(patients), images)
    labels = (generator.random(patients) < share).astype(np.float64)[patient]
    shared = generator.normal(0, common**0.5, patients)[patient]
    own = generator.normal(0, (1 - common) ** 0.5, len(patient))
    return labels, _SHIFT * labels + shared + own, patient


def _intervals(
    labels: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
    patients: npt.NDArray[np.intp],
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    point, column = auroc(labels, scores), labels[:, np.newaxis]
    found = {}
    for kind, owners in (("patients", patients), ("images", np.arange(len(labels)))):
        draws = resample(owners, column, resamples=resamples, seed=seed)
        found[f"{kind} resampled"] = percentile(point, draws.aucs(labels, scores))
    return found | {"DeLong": delong.interval(labels, scores)}


if __name__ == "__main__":
    main()
