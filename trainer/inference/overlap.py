# SPDX-License-Identifier: MIT
"""Finds films and patients of an external test that its model was made with, which a leak is."""

import pandas as pd

from preprocessing.contract import manifest as manifests
from preprocessing.contract import patients as people
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer.data import metadata_of_shards
from trainer.predictions import metadata
from trainer.predictions.metadata import Texts
from trainer.predictions.names import image_stems
from trainer.serving.facts import Facts
from trainer.serving.names import EXTRA

NONE = "none"
_NAMED_OTHERWISE = (
    "patients could not be compared, because the model's data do not name them as these films do"
)


def naming(manifest: Manifest) -> tuple[str, ...]:
    """Returns how a data set names patients; those of two namings are not one for equal names."""
    table = manifest.parameters.get("table", {})
    source = str(manifest.parameters.get("source", ""))
    columns = ("image_column", "patient_column", "patient_pattern") if source != "nih" else ()
    return (source, *(str(table.get(name, "")) for name in columns))


def of(facts: Facts, ids: Texts, patients: Texts, naming_of_patients: tuple[str, ...]) -> str:
    """Says how much of a test the model was trained with, or its thresholds chosen on.

    It is known of models that lie in their run's folder, by the names in predictions/metadata.csv.

    Args:
        facts: of the model, or of a mean.
        ids: of the films that are tested.
        patients: of these films.
        naming_of_patients: of these patients, as `naming` returns it; empty if it is not known.

    Returns:
        `NONE`, or a text with the figures or the reason.
    """
    films, people_, comparable = set[str](), set[str](), True
    for folder in facts.folder.split(", "):
        path = storage.join(folder.rpartition("/")[0] or ".", metadata_of_shards.PATH)
        if not storage.exists(path):
            return f"unknown: {path}, which names the films that the model was made with, is absent"
        known = metadata.read(path)
        made = known.splits != "test"
        films |= set(image_stems(known.ids[made]).tolist())
        if naming(manifests.read(storage.join(folder, EXTRA))) == naming_of_patients:
            people_ |= set(people.values(known.patients[made]).tolist())
        else:
            comparable = False
    same = pd.Index(image_stems(ids)).isin(films)
    of_known = pd.Index(people.values(patients)).isin(people_)
    if not (same | of_known).any():
        return NONE if comparable else f"{NONE} by the names of films; {_NAMED_OTHERWISE}"
    said = (
        f"{same.sum():,} films of the test have the names of films that the model was trained or "
        f"chosen on, and {(same | of_known).sum():,} are of such patients: the figures flatter it"
    )
    return said if comparable else f"{said}; other {_NAMED_OTHERWISE}"
