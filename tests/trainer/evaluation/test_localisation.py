# SPDX-License-Identifier: MIT
"""Tests of the localisation figures against counting pixels, and of their intervals."""

import numpy as np
import pytest
from scipy import stats

from trainer.evaluation import boxes, localisation
from trainer.evaluation.intervals import Resamples, resample
from trainer.evaluation.localisation import IOBB_THRESHOLDS, IOU_THRESHOLDS, METHODS, Case
from trainer.predictions.placement import Placement

# One cell is 16 pixels of the grid on which maps draw their boxes.
CELLS = 16
PLACE = Placement(first=0.5 / CELLS, step=1 / CELLS, left=0.0, side=1.0)
CRITERIA = len(IOU_THRESHOLDS) + len(IOBB_THRESHOLDS)


def made_cases(count: int = 60, finding: str = "Mass", seed: int = 0) -> list[Case]:
    """Cases of patients with up to four images; a map often shows its box."""
    generator = np.random.default_rng(seed)
    cases = []
    for image in range(count):
        true = np.array([random_box(generator) for _ in range(1 + (image % 5 == 0))])
        heat = generator.random((CELLS, CELLS)) ** 6
        x0, y0, x1, y1 = (true[0] // 16).astype(int)
        if image % 3:
            heat[y0 : y1 + 1, x0 : x1 + 1] += 1
        if image == 7:
            heat[:] = 0
        cases.append(Case(image, f"p{image // 4}", finding, true / boxes.GRID, heat))
    return cases


def random_box(generator: np.random.Generator) -> np.ndarray:
    corner = generator.integers(0, 160, 2)
    return np.concatenate([corner, corner + generator.integers(20, 96, 2)])


def draws_of(cases: list[Case], resamples: int = 200) -> Resamples:
    patients = np.array([case.patient for case in cases])
    labels = np.ones((len(cases), 1), np.float32)
    return resample(patients, labels, resamples=resamples, seed=5)


def filled(box: np.ndarray) -> np.ndarray:
    """The pixels of a box of whole pixels."""
    mask = np.zeros((boxes.GRID, boxes.GRID), bool)
    x0, y0, x1, y1 = np.round(box * boxes.GRID).astype(int)
    mask[y0:y1, x0:x1] = True
    return mask


def slow_row(case: Case) -> list[float]:
    """Counts of one map by masks of pixels."""
    drawn = [filled(box) for box in boxes.drawn_by(case.heat, PLACE)]
    true = [filled(box) for box in case.true]

    def passes(one: np.ndarray, other: np.ndarray) -> list[bool]:
        both = (one & other).sum()
        iou, iobb = both / (one | other).sum(), both / one.sum()
        return [iou > t for t in IOU_THRESHOLDS] + [iobb > t for t in IOBB_THRESHOLDS]

    table = np.array([[passes(one, other) for other in true] for one in drawn])
    table = table.reshape(len(drawn), len(true), CRITERIA)
    fine = PLACE.laid_out(case.heat, boxes.GRID)
    cell = np.unravel_index(case.heat.argmax(), case.heat.shape)
    row, column = (16 * at + 8 for at in cell)
    hit = fine.max() > 0 and any(mask[row, column] for mask in true)
    met, false = table.any(axis=0).sum(axis=0), (~table.any(axis=1)).sum(axis=0)
    return [1, len(true), hit, *met, *false]


def test_counts_of_maps_are_those_of_pixel_masks() -> None:
    cases = made_cases()
    found = localisation.answers(cases, PLACE)["heat_map"]
    np.testing.assert_array_equal(found, [slow_row(case) for case in cases])
    # All of it is put to the test: hits and misses of every criterion.
    assert (found[:, 2:].max(axis=0) > 0).all() and (found[:, 2:].min(axis=0) == 0).all()


def test_the_trivial_answers_see_only_boxes_of_other_patients() -> None:
    cases = made_cases()
    found = localisation.answers(cases, PLACE)
    for at, case in enumerate(cases):
        others = np.concatenate([one.true for one in cases if one.patient != case.patient])
        mean = others.mean(axis=0)
        half = (mean[2:] - mean[:2]) / 2
        central = np.concatenate([0.5 - half, 0.5 + half])
        for method, box in (("average_box", mean), ("centre", central)):
            iou = boxes.overlaps(box[None], case.true)[0][0]
            x, y = (box[:2] + box[2:]) / 2
            assert found[method][at, 2] == boxes.holds(case.true, x, y)
            np.testing.assert_array_equal(
                found[method][at, 3 : 3 + len(IOU_THRESHOLDS)],
                [(iou > threshold).sum() for threshold in IOU_THRESHOLDS],
            )
    # Changing one patient's boxes changes no answer to that patient but how it is judged.
    moved = [
        Case(c.image, c.patient, c.finding, c.true * 0 + [0, 0, 0.001, 0.001], c.heat)
        if c.patient == "p0"
        else c
        for c in cases
    ]
    assert not localisation.answers(moved, PLACE)["average_box"][:4, 2].any()


def test_values_and_intervals_are_those_of_a_loop_over_resamples() -> None:
    cases = made_cases(96)
    draws = draws_of(cases)
    found, means = localisation.measure({"Mass": cases}, PLACE, draws)
    counts = localisation.answers(cases, PLACE)
    table = np.array([slow_row(case) for case in cases])
    own = found["Mass"]["heat_map"]
    assert own.pointing.value == pytest.approx(table[:, 2].mean())
    for at in (0, 6, 7, 11):
        assert own.accuracy[at].value == pytest.approx(table[:, 3 + at].sum() / table[:, 1].sum())
        assert own.false_positives[at].value == pytest.approx(table[:, 3 + CRITERIA + at].mean())
    slow = {"pointing": [], "gain": [], "accuracy": [], "false": []}
    for times in draws.counts[draws.patient_of].T.astype(float):
        average = counts["average_box"]
        slow["pointing"].append((times * table[:, 2]).sum() / times.sum())
        trivial = (times * average[:, 2]).sum() / times.sum()
        slow["gain"].append(slow["pointing"][-1] - trivial)
        slow["accuracy"].append((times * table[:, 4]).sum() / (times * table[:, 1]).sum())
        slow["false"].append((times * table[:, 4 + CRITERIA]).sum() / times.sum())
    for name, interval in (
        ("pointing", own.pointing),
        ("gain", own.gain),
        ("accuracy", own.accuracy[1]),
        ("false", own.false_positives[1]),
    ):
        ends = np.quantile(slow[name], [0.025, 0.975])
        assert (interval.low, interval.high) == pytest.approx(tuple(ends), abs=1e-12)
    assert means["heat_map"].pointing.value == own.pointing.value


def test_the_mean_is_over_findings_in_which_every_method_answers() -> None:
    several = {"Mass": made_cases(30, "Mass", 1), "Nodule": made_cases(30, "Nodule", 2)}
    lonely = made_cases(3, "Edema", 3)
    draws = draws_of(several["Mass"])
    found, means = localisation.measure({**several, "Edema": lonely}, PLACE, draws)
    alone = found["Edema"]
    assert alone["heat_map"].pointing.value is not None
    assert alone["average_box"].pointing.value is None
    assert alone["centre"].accuracy[0].value is None
    for method in METHODS:
        values = [found[name][method].pointing.value for name in several]
        assert means[method].pointing.value == pytest.approx(np.mean(values))


def test_a_map_that_shows_the_box_hits_it_and_one_that_shows_the_opposite_misses() -> None:
    true = np.array([[64, 128, 112, 192]]) / boxes.GRID
    shown = np.zeros((CELLS, CELLS))
    shown[8:12, 4:7] = 1
    cases = [Case(at, f"p{at}", "Mass", true, shown) for at in range(30)]
    found, _ = localisation.measure({"Mass": cases}, PLACE, draws_of(cases))
    best = found["Mass"]["heat_map"]
    assert best.pointing.value == 1.0
    assert best.accuracy[IOU_THRESHOLDS.index(0.5)].value == 1.0
    cases = [Case(at, f"p{at}", "Mass", true, shown[::-1]) for at in range(30)]
    found, _ = localisation.measure({"Mass": cases}, PLACE, draws_of(cases))
    worst = found["Mass"]["heat_map"]
    assert worst.pointing.value == 0.0
    assert worst.accuracy[0].value == 0.0
    assert worst.false_positives[0].value == 2.0  # one at each threshold
    # Thirty patients of whom none was hit leave room for a ninth.
    assert (worst.pointing.low, worst.pointing.high) == pytest.approx((0.0, 0.1135), abs=1e-4)
    assert worst.gain.low == worst.gain.high is None


@pytest.mark.parametrize(("hits", "trials"), [(0, 1), (0, 12), (3, 12), (12, 12), (40, 79)])
def test_the_interval_of_wilson_is_scipys(hits: int, trials: int) -> None:
    expected = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    found = localisation.wilson(hits / trials, trials)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_few_patients_have_the_interval_of_wilson() -> None:
    cases = made_cases(24)  # of six patients
    found, _ = localisation.measure({"Mass": cases}, PLACE, draws_of(cases))
    share = found["Mass"]["heat_map"].pointing
    assert share.value is not None
    assert (share.low, share.high) == localisation.wilson(share.value, 6)


def test_a_box_between_the_centres_of_cells_is_out_of_reach() -> None:
    heat = np.ones((CELLS, CELLS))
    inside = np.array([[0.45 / CELLS, 0.45 / CELLS, 0.55 / CELLS, 0.55 / CELLS]])
    between = inside + 0.5 / CELLS
    cases = [Case(at, f"p{at}", "Mass", true, heat) for at, true in enumerate([inside, between])]
    assert localisation.reachable(cases, PLACE) == 0.5
    both = Case(2, "p2", "Mass", np.concatenate([between, inside]), heat)
    assert localisation.reachable([both], PLACE) == 1.0
