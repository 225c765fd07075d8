# SPDX-License-Identifier: MIT
"""Tests of the phantom's pictures: what a finding changes, where, and how surely."""

import dataclasses

import numpy as np
import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.phantom import lesion, population, render
from preprocessing.phantom.population import Record

SEED, SIZE = 5, 256
BOXED = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
)


def healthy(count: int) -> list[Record]:
    """One picture without findings from each of `count` patients."""
    first = {record.patient: record for record in population.draw(400, SEED, "raised")}
    return [dataclasses.replace(record, findings=()) for record in list(first.values())[:count]]


def difference(record: Record, finding: str) -> np.ndarray:
    """What a finding changes, uint8 levels [SIZE, SIZE]."""
    with_it = dataclasses.replace(record, findings=(finding,))
    without = dataclasses.replace(record, findings=())
    return np.abs(
        render.picture(with_it, SEED, SIZE).astype(int) - render.picture(without, SEED, SIZE)
    )


def severe(finding: str, count: int) -> list[Record]:
    """Pictures in which a finding is easy to see."""
    records = [dataclasses.replace(record, findings=(finding,)) for record in healthy(80)]
    return [r for r in records if lesion.plan(r, SEED)[0].severity > 0.5][:count]


@pytest.mark.parametrize("finding", CHESTXRAY14_FINDINGS)
def test_every_finding_is_seen(finding):
    for record in severe(finding, 3):
        # The size of a small nodule, 15 mm, is about 80 pixels at this size of the picture.
        assert (difference(record, finding) > 12).sum() >= 80


def test_some_findings_are_nearly_invisible():
    records = population.draw(800, SEED, "raised")
    severities = np.array([one.severity for r in records for one in lesion.plan(r, SEED)])
    assert 0.05 < (severities < 0.12).mean() < 0.2
    assert 0.4 < np.median(severities) < 0.75


@pytest.mark.parametrize("finding", BOXED)
def test_the_box_holds_the_finding(finding):
    boxed = [record for record in severe(finding, 12) if render.boxes(record, SEED)]
    assert len(boxed) >= 3
    for record in boxed[:3]:
        x, y, width, height = render.boxes(record, SEED)[finding]
        assert x >= 0 and y >= 0 and x + width <= 1024 and y + height <= 1024
        scale = SIZE / render.BOX_SIDE
        rows = slice(int(y * scale), int(np.ceil((y + height) * scale)))
        columns = slice(int(x * scale), int(np.ceil((x + width) * scale)))
        changed = difference(record, finding)
        inside = changed[rows, columns]
        assert inside.sum() > 0.5 * changed.sum()
        assert inside.size < 0.25 * changed.size


def test_taking_one_finding_away_leaves_the_others_as_they_are():
    record = dataclasses.replace(healthy(1)[0], findings=("Mass", "Edema", "Hernia"))
    fewer = dataclasses.replace(record, findings=("Mass", "Hernia"))
    all_three = {one.finding: one for one in lesion.plan(record, SEED)}
    assert all(all_three[one.finding] == one for one in lesion.plan(fewer, SEED))


def test_a_nodule_is_under_30_mm_and_a_mass_over():
    # 1024 pixels show about 420 mm.
    for record in severe("Mass", 20):
        assert min(render.boxes(record, SEED)["Mass"][2:]) * 420 / 1024 > 30
    nodules = [render.boxes(record, SEED) for record in severe("Nodule", 30)]
    sizes = [max(boxes["Nodule"][2:]) * 420 / 1024 for boxes in nodules if boxes]
    # The box is a tenth wider than the nodule and a tilted picture widens it further.
    assert sizes and max(sizes) < 30 * 1.2


def test_a_picture_is_a_function_of_seed_and_record_alone():
    one, other = healthy(2)
    first = render.picture(one, SEED, SIZE)
    render.picture(other, SEED, SIZE)
    assert np.array_equal(first, render.picture(one, SEED, SIZE))
    assert not np.array_equal(first, render.picture(one, SEED + 1, SIZE))


@pytest.mark.parametrize("size", [32, 100, 333])
def test_any_size_shows_the_same_chest(size):
    record = healthy(3)[2]
    small, large = render.picture(record, SEED, size), render.picture(record, SEED, 512)
    assert small.shape == (size, size) and small.dtype == np.uint8
    # Averages of the picture's quarters.
    coarse = [
        [
            [block.mean() for block in np.array_split(band, 4, axis=1)]
            for band in np.array_split(picture, 4)
        ]
        for picture in (small, large)
    ]
    assert np.allclose(*coarse, atol=14)


def test_lungs_are_darker_than_the_heart_and_the_belly():
    for record in healthy(10):
        picture = render.picture(record, SEED, SIZE)
        lung = picture[75:120, 65:85].mean()
        assert lung + 30 < picture[140:150, 125:140].mean()
        assert lung + 30 < picture[235:250, 110:150].mean()
