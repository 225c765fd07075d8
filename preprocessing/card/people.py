# SPDX-License-Identifier: MIT
"""Says who is in a data set: how many, of what sex and age, and how the splits differ."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from preprocessing.card.document import Section, percent
from preprocessing.card.records import Records
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.tables import Table
from preprocessing.contract.wording import NOT_DEFINED, number, words

_NOTABLE = 1.5


def splits(manifest: Manifest, records: Records) -> Section:
    """Counts images and patients."""
    images, by_split = records.images, records.images.groupby("split")
    sizes = by_split.size()
    per_patient = images.groupby(["split", "patient"]).size().groupby("split")
    findings = records.present.sum(axis=1).groupby(records.split)
    ages = images["age"].where(images["age"] >= 0).groupby(records.split).median()
    without = records.without_finding.groupby(records.split).mean()
    facts: list[tuple[str, pd.Series, Callable[[Any], str]]] = [
        ("images", sizes, "{:,}".format),
        ("patients", by_split["patient"].nunique(), "{:,}".format),
        ("images a patient, mean", per_patient.mean(), "{:.2f}".format),
        ("images a patient, median", per_patient.median(), "{:g}".format),
        ("images a patient, most", per_patient.max(), "{:,}".format),
        ("findings an image, mean", findings.mean(), "{:.2f}".format),
        ("images without finding", without, lambda share: percent(share, 1)),
        ("median age, years", ages, lambda age: "unknown" if pd.isna(age) else f"{age:g}"),
    ]
    rows = [[name, *map(form, values[records.splits])] for name, values, form in facts]
    table = Table("No patient is in two splits.", ["what", *records.splits], rows)
    method = f"How images came to the splits: {manifest.split_method or 'not stated'}."
    return Section("Splits", [method, _comparable(manifest)], [table])


def _comparable(manifest: Manifest) -> str:
    if not manifest.official_split:
        return (
            "The split is not ChestX-ray14's official one: figures on its test split must not be "
            "compared with published ones."
        )
    out = sum(manifest.counters.get(name, 0) for name in ("images_missing", "images_rejected"))
    if out:
        return (
            "Test and train_val follow the published lists of ChestX-ray14 (by hash), but "
            f"{number(out, ',')} of the listed images are not here: figures on this part must not "
            "be compared with published ones."
        )
    return (
        "Test and train_val are the published lists of ChestX-ray14 (by hash): figures on test may "
        "be compared with published ones that used these lists."
    )


def people(records: Records) -> Section:
    """Gives the distributions of what is known beside the labels."""
    captions = {
        "view": "View.",
        "sex": "Sex.",
        "age": "Age in years.",
        "number": "Number of the examination in the patient's series.",
        "findings": "Findings on one image.",
        "size": "Size of the original in pixels, the 8 most frequent. It shows the detector, and "
        "so often the ward.",
    }
    said = [
        "Shares of the images of each split. AP films are mostly taken at the bedside of those who "
        "cannot stand."
    ]
    tables = [records.distribution(head, caption) for head, caption in captions.items()]
    return Section("Patients and pictures", said, tables)


def shift(records: Records) -> Section:
    """Compares test with train: what a model meets there that it did not learn from."""
    title = "How test differs from train"
    if not {"train", "test"} <= set(records.splits):
        return Section(title, ["There are no two splits to compare."])
    images = records.images
    conditions = pd.DataFrame(
        {
            "AP films": images["view"] == "AP",
            "women": images["sex"] == "F",
            "children under 18": images["age"].between(0, 17),
            "without finding": records.without_finding,
        }
    )
    of_findings = records.positives / records.known.clip(lower=1)
    found = pd.concat([conditions.groupby(records.split).mean().T, of_findings])
    table = Table(
        caption=f"Test against train. A ratio beyond {_NOTABLE} either way is marked.",
        columns=["share of images", "train", "test", "ratio"],
        rows=[_row(words(str(name)), row["train"], row["test"]) for name, row in found.iterrows()],
    )
    said = [
        "The wider the two differ, the less a figure on validation, which resembles train, says of "
        "test. With few images a ratio says nothing."
    ]
    return Section(title, said, [table])


def _row(name: str, train: float, test: float) -> list[str]:
    ratio = NOT_DEFINED
    if train:
        marked = not 1 / _NOTABLE <= test / train <= _NOTABLE
        ratio = f"{'* ' if marked else ''}{test / train:.2f}"
    return [name, percent(train, 1), percent(test, 1), ratio]
