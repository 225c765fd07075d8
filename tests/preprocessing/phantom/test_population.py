# SPDX-License-Identifier: MIT
"""Tests of the phantom's patients, findings and lists."""

import collections
import itertools

import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.phantom.population import Record, draw


def share(records: list[Record], finding: str) -> float:
    return sum(finding in record.findings for record in records) / len(records)


def part(records: list[Record], split: str) -> list[Record]:
    return [record for record in records if record.split == split]


def lift(records: list[Record], one: str, other: str) -> float:
    both = sum(one in r.findings and other in r.findings for r in records) / len(records)
    return both / (share(records, one) * share(records, other))


@pytest.mark.parametrize("images", [13, 400, 2200])
@pytest.mark.parametrize("split", ["train_val", "test"])
def test_raised_prevalence_gives_each_finding_at_least_eight_per_cent(images, split):
    records = part(draw(images, 3, "raised"), split)
    for finding in CHESTXRAY14_FINDINGS:
        assert share(records, finding) >= 0.08, finding


@pytest.mark.parametrize(("test_images", "positives"), [(500, 40), (400, 30)])
def test_raised_prevalence_gives_enough_test_positives(test_images, positives):
    records = part(draw(round(test_images / 0.2283), 1, "raised"), "test")
    assert abs(len(records) - test_images) <= 1
    counts = collections.Counter(name for record in records for name in record.findings)
    assert min(counts[name] for name in CHESTXRAY14_FINDINGS) >= positives


def test_realistic_prevalence_is_that_of_chestxray14():
    records = draw(20_000, 0, "realistic")
    train_val, test = part(records, "train_val"), part(records, "test")
    assert share(train_val, "Infiltration") == pytest.approx(0.1593, abs=1e-4)
    assert share(test, "Pneumothorax") == pytest.approx(0.1041, abs=2e-4)
    assert share(test, "Hernia") == pytest.approx(0.0034, abs=2e-4)
    without = [sum(not r.findings for r in split) / len(split) for split in (train_val, test)]
    # 58.4% and 38.5% of the real images have no finding.
    assert without == pytest.approx([0.584, 0.385], abs=0.04)


def test_the_test_list_is_sicker_and_has_more_images_a_patient():
    records = draw(20_000, 0, "realistic")
    per_patient, ap = {}, {}
    for split in ("train_val", "test"):
        rows = part(records, split)
        per_patient[split] = len(rows) / len({record.patient for record in rows})
        ap[split] = sum(record.view == "AP" for record in rows) / len(rows)
    # 3.09 and 9.15 images a patient, 35.0% and 56.6% AP in ChestX-ray14.
    assert per_patient["train_val"] == pytest.approx(3.1, rel=0.15)
    assert per_patient["test"] == pytest.approx(9.2, rel=0.15)
    assert (ap["train_val"], ap["test"]) == pytest.approx((0.35, 0.566), abs=0.001)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Edema", "Pneumonia"),
        ("Emphysema", "Pneumothorax"),
        ("Cardiomegaly", "Effusion"),
        ("Effusion", "Atelectasis"),
        ("Fibrosis", "Pleural_Thickening"),
    ],
)
def test_findings_that_go_together_do_so(one, other):
    assert lift(draw(20_000, 2, "realistic"), one, other) > 1.5


def test_findings_persist_within_a_patient():
    records = draw(4000, 2, "realistic")
    history = collections.defaultdict(list)
    for record in records:
        history[record.patient].append("Effusion" in record.findings)
    again = [later for seen in history.values() for now, later in itertools.pairwise(seen) if now]
    assert sum(again) / len(again) > 2 * share(records, "Effusion")


def test_patients_are_in_one_list_and_keep_their_sex_and_grow_older():
    records = draw(1500, 4, "raised")
    of_patient = collections.defaultdict(list)
    for record in records:
        of_patient[record.patient].append(record)
    assert max(map(len, of_patient.values())) > 5
    for rows in of_patient.values():
        assert len({row.split for row in rows}) == 1
        assert len({row.sex for row in rows}) == 1
        assert [row.follow_up for row in rows] == list(range(len(rows)))
        assert sorted(row.number for row in rows) == list(range(len(rows)))
        ages = [row.age for row in rows]
        assert ages == sorted(ages)
        assert 0 <= ages[0] <= ages[-1] <= 95
    assert len(part(records, "test")) == pytest.approx(0.2283 * 1500, abs=1)


def test_the_file_number_is_not_always_the_follow_up_number():
    records = draw(1500, 4, "raised")
    assert 0.02 < sum(r.number != r.follow_up for r in records) / len(records) < 0.5


def test_the_same_seed_gives_the_same_patients_and_another_seed_others():
    assert draw(200, 5, "raised") == draw(200, 5, "raised")
    assert draw(200, 5, "raised") != draw(200, 6, "raised")


def test_about_one_file_of_two_hundred_is_rgba():
    for images in (50, 120, 2000):
        marked = sum(record.rgba for record in draw(images, 8, "raised"))
        assert max(1, images // 200) <= marked <= images // 200 + 1
