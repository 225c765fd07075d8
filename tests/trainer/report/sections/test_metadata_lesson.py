# SPDX-License-Identifier: MIT
"""A lesson learns from patients who are not judged, or says why there is none."""

from collections.abc import Callable

import numpy as np

from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report.sections.metadata_lesson import Lesson, lesson_of
from trainer.report.source import Source

Make = Callable[..., Predictions]


def known(predictions: Predictions) -> Metadata:
    """The images of the predictions and as many of other patients, findings in another order."""
    count = 2 * len(predictions.ids)
    generator = np.random.default_rng(1)
    return Metadata(
        ids=np.array([f"{at:08d}_000" for at in range(count)]),
        patients=np.array([str(at // 3) for at in range(count)]),
        splits=np.full(count, ""),
        sex=np.full(count, "M"),
        view=generator.choice(["AP", "PA"], count),
        age=np.full(count, 50),
        follow_up=np.zeros(count, np.int64),
        width=np.zeros(count, np.int64),
        height=np.zeros(count, np.int64),
        labels=(generator.random((count, 2)) < 0.5).astype(np.float32),
        findings=("Edema", "Mass"),
    )


def test_labels_follow_the_findings_of_the_predictions(make: Make) -> None:
    predictions = make()
    metadata = known(predictions)
    lesson = lesson_of(Source(predictions, metadata=metadata))
    assert isinstance(lesson, Lesson)
    np.testing.assert_array_equal(lesson.labels[:, 0], metadata.labels[:, 1])  # Mass
    np.testing.assert_array_equal(lesson.labels[:, 1], metadata.labels[:, 0])  # Edema
    assert np.isnan(lesson.labels[:, 2]).all()  # Hernia, of which the metadata say nothing


def test_it_learns_from_no_patient_of_any_judged_split(make: Make) -> None:
    predictions = make()
    metadata = known(predictions)
    lesson = lesson_of(Source(predictions, metadata=metadata))
    assert isinstance(lesson, Lesson)
    count = len(predictions.ids)
    assert lesson.train.tolist() == list(range(count, 2 * count))
    assert lesson.joined.tolist() == list(range(count // 2, count))  # the test images
    scores = lesson.scores(lesson.joined >= 0)
    assert scores["view"].shape == (count // 2, 3) and np.isnan(scores["view"][:, 2]).all()
    # Two views give two scores, whatever else is known.
    assert len(np.unique(scores["view"][:, 0])) == 2
    assert lesson.described()["patients"] == count // 3


def test_without_metadata_it_says_what_to_hand_in(make: Make) -> None:
    reason = lesson_of(Source(make()))
    assert isinstance(reason, str) and "--metadata" in reason
