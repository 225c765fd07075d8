# SPDX-License-Identifier: MIT
"""Answers quote the report's own figures, and say where there is none."""

import dataclasses
from collections.abc import Callable

import numpy as np

from preprocessing.contract.wording import estimate
from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report.answers import answers
from trainer.report.contents import QUESTIONS
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


def metadata(rows: Predictions) -> Metadata:
    """Of the images, and of as many of other patients, on whom the baselines are trained."""
    generator = np.random.default_rng(3)
    count = 2 * len(rows.ids)
    return Metadata(
        ids=np.array([f"{row:08d}_000.png" for row in range(count)]),
        patients=np.array([f"{row // 3:08d}" for row in range(count)]),
        splits=np.array([*rows.splits.tolist(), *["train"] * len(rows.ids)]),
        sex=np.where(np.arange(count) % 4 == 0, "F", "M"),
        view=generator.choice(["AP", "PA"], count),
        age=generator.integers(20, 80, count),
        follow_up=generator.integers(0, 3, count),
        width=np.full(count, 2500),
        height=np.full(count, 2048),
        labels=np.concatenate([rows.labels, rows.labels]),
        findings=rows.findings,
    )


def test_every_question_is_answered_with_the_figures_of_the_report(make: Make) -> None:
    rows = make()
    report = build(Source(rows, resamples=20, metadata=metadata(rows), compared={"b.csv": make()}))
    said = answers(report)
    assert list(said) == list(QUESTIONS)
    test = report["splits"]["test"]
    areas = {name: entry["auc"] for name, entry in test["findings"].items()}
    ends = sorted(["Mass", "Edema"], key=lambda name: -areas[name]["value"])
    assert said["good"].startswith(
        f"Mean AUC {estimate(test['mean_auc'])} over 2 findings, on 240 test images of 80 patients."
        f" Best: {ends[0]} {estimate(areas[ends[0]])}; worst: {ends[1]} {estimate(areas[ends[1]])}."
        " b.csv has the AUCs of this report in every resample of the test split"
    )
    assert said["whom"].startswith(
        "Tested on 240 images of 80 patients. Shares of the images: women 25%, "
    )
    means = {
        group["name"]: group["mean"]["auc"]["value"]
        for group in report["subgroups"]["divisions"][0]["groups"]
    }
    assert max(means.values()) - min(means.values()) > 0
    assert "The widest gap in mean AUC is by " in said["whom"]
    assert "3 of 3 findings rest on fewer than 100 patients who have it" in said["trust"]
    count = report["subgroups"]["comparisons"]["auc"]
    shares = f"{count['outside']} of {count['intervals']} differences in AUC from the largest group"
    assert shares in said["whom"]
    difference = report["baselines"]["difference"]["mean_auc"]
    noise = report["label_noise"]["mean"]["assumed"][-1]["auc"]
    assert f"the mean AUC against the truth would be {estimate(noise)}." in said["trust"]
    better = [
        entry["decision_curve"]["better"]
        for entry in test["findings"].values()
        if entry["decision_curve"]
    ]
    assert said["change"].startswith(f"For {sum(map(bool, better))} of 3 findings, acting by ")
    assert " at some threshold from 0.01 to 0.5. At thresholds " in said["change"]
    assert estimate(difference, "+.3f") in said["trust"] and "(ECE)" in said["trust"]
    nothing = dict.fromkeys(("value", "low", "high"))
    reference = {"reason": None, "agreement": {"ppv": {"value": 0.6}}}
    reference |= {"auc_mined": nothing, "auc_radiologists": nothing}
    reference["if_random"] = dict.fromkeys(("highest", "expected", "found_minus_expected"), nothing)
    read = {"images": 90, "references": [reference]}
    assert "radiologists found" not in said["trust"]
    assert "radiologists found 40% of" in answers(report | {"radiologists": read})["trust"]
    found = report["operating_points"]["mean"]["youden"]["test"]
    assert f"sensitivity {estimate(found['sensitivity'])} and specificity" in said["change"]
    calls = report["operating_points"]["per_image"]["youden"]
    called, right = calls["called"]["value"], calls["right"]["value"]
    assert 0 < right < 1 and f"; {right:.1%} of these calls are right. Of " in said["change"]
    assert f" over the findings. {called:.1%} of the images are called for at" in said["change"]


def test_what_is_not_known_has_its_reason(make: Make) -> None:
    report = build(Source(make(splits=("test",)), resamples=5))
    said = answers(report)
    assert "not known. No metadata were given" in said["whom"]
    assert "What its thresholds do is not known. " in said["change"]
    assert "validation" in said["change"].partition("not known. ")[2]
    for name in ("comparison", "published"):
        assert report[name]["reason"] not in said["good"]


def test_one_finding_or_none_with_an_area_is_said_as_it_is(make: Make) -> None:
    rows = make()
    one, none = (rows.labels.copy() for _ in range(2))
    one[:, 1:] = 0
    none[:] = 0
    texts = []
    for labels in (one, none):
        texts.append(
            answers(build(Source(dataclasses.replace(rows, labels=labels), resamples=5)))["good"]
        )
    assert "of Mass, on" in texts[0] and "Best" not in texts[0]
    assert texts[1] == "Not known: no finding has an AUC on the test split."
