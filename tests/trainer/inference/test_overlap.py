# SPDX-License-Identifier: MIT
"""Films and patients that a model was made with are found in a test, by names that say so."""

import dataclasses
from typing import Any

import numpy as np

from trainer.inference import film_labels, overlap
from trainer.serving import facts


def test_films_and_patients_of_training_are_warned_of(finished_run: Any, data_set: Any) -> None:
    model = facts.read(finished_run.output)
    labels = film_labels.read(data_set.folder, model, ("train",))
    assert overlap.of(model, labels.ids, labels.patients, labels.naming).startswith("29 films ")
    labels = film_labels.read(data_set.folder, model)
    assert overlap.of(model, labels.ids, labels.patients, labels.naming) == overlap.NONE
    # Another film of a patient of training; a number says nothing where other data are named.
    ids, patients = np.array(["x.png"]), np.array(["train-0"])
    said = overlap.of(model, ids, patients, labels.naming)
    assert said.startswith("0 films ") and "and 1 are of such patients" in said
    said = overlap.of(model, ids, patients, ("csv", "Path", "", ""))
    assert said.startswith("none by the names of films; patients could not be compared")
    leaked = overlap.of(model, labels.ids, labels.patients, ())
    assert leaked == overlap.of(model, labels.ids, labels.patients, ("csv", "Path", "", ""))
    elsewhere = dataclasses.replace(model, folder="/nowhere/saved_model")
    assert overlap.of(elsewhere, ids, patients, ()).startswith("unknown: /nowhere/predictions/")
