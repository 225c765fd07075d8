# SPDX-License-Identifier: MIT
"""Says who is in a data set: how many, of what sex and age, and how the splits differ."""

import statistics
from collections.abc import Callable, Sequence

from preprocessing.card import population
from preprocessing.card.content import Section, Table, number, percent
from preprocessing.card.population import Population
from preprocessing.contract.manifest import Manifest
from preprocessing.verify import Brief

_SIZES = 8
_NOTABLE = 1.5


def splits(manifest: Manifest, parts: Sequence[Population]) -> Section:
    """Counts images and patients."""
    facts: list[tuple[str, Callable[[Population], str]]] = [
        ("images", lambda part: number(part.images)),
        ("patients", lambda part: number(len(part.per_patient))),
        ("images a patient, mean", lambda part: f"{part.images / len(part.per_patient):.2f}"),
        ("images a patient, median", lambda part: f"{statistics.median(part.per_patient):g}"),
        ("images a patient, most", lambda part: number(max(part.per_patient))),
        ("findings an image, mean", lambda part: f"{sum(part.positives) / part.images:.2f}"),
        ("images without finding", lambda part: percent(part.without_finding, part.images)),
        ("median age, years", _median_age),
    ]
    table = Table(
        caption="No patient is in two splits.",
        columns=["what", *(part.split for part in parts)],
        rows=[[name, *(fact(part) for part in parts)] for name, fact in facts],
    )
    words = [
        f"How images came to the splits: {manifest.split_method or 'not stated'}.",
        _comparable(manifest),
    ]
    return Section("Splits", words, [table])


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
            f"{number(out)} of the listed images are not here: figures on this part must not be "
            "compared with published ones."
        )
    return (
        "Test and train_val are the published lists of ChestX-ray14 (by hash): figures on test may "
        "be compared with published ones that used these lists."
    )


def _median_age(part: Population) -> str:
    age = part.median_age()
    return "unknown" if age is None else f"{age:g}"


def people(parts: Sequence[Population]) -> Section:
    """Gives the distributions of what is known beside the labels."""
    sizes = population.whole(parts).distribution(population.original_size)
    common = [name for name, _ in sizes.most_common(_SIZES)]
    tables = [
        _distribution("view", "View.", ("PA", "AP", "unknown"), _or_unknown("view"), parts),
        _distribution("sex", "Sex.", ("F", "M", "unknown"), _or_unknown("sex"), parts),
        _distribution("age", "Age in years.", population.age_bands(), population.age_band, parts),
        _distribution(
            "number",
            "Number of the examination in the patient's series.",
            population.FOLLOW_UPS,
            population.follow_up_band,
            parts,
        ),
        _distribution(
            "findings",
            "Findings on one image.",
            ("0", "1", "2", "3", "4 or more"),
            population.labels_per_image,
            parts,
        ),
        _distribution(
            "size",
            f"Size of the original in pixels, the {_SIZES} most frequent. It tells the detector, "
            "and so often the ward.",
            [*common, "other"],
            lambda brief: _among(population.original_size(brief), common),
            parts,
        ),
    ]
    words = [
        "Shares of the images of each split. AP films are mostly taken at the bedside of those who "
        "cannot stand."
    ]
    return Section("Patients and pictures", words, tables)


def _among(name: str, common: Sequence[str]) -> str:
    return name if name in common else "other"


def _or_unknown(attribute: str) -> Callable[[Brief], str]:
    return lambda brief: getattr(brief, attribute) or "unknown"


def _distribution(
    head: str,
    caption: str,
    names: Sequence[str],
    key: Callable[[Brief], str],
    parts: Sequence[Population],
) -> Table:
    """Counts images by what `key` says; names that no image has are left out at no loss."""
    counts = [part.distribution(key) for part in parts]
    kept = [name for name in names if any(count[name] for count in counts)]
    shares = [
        [count[name] / max(part.images, 1) for count, part in zip(counts, parts, strict=True)]
        for name in kept
    ]
    pairs = list(zip(counts, parts, strict=True))
    return Table(
        caption=caption,
        columns=[head, *(part.split for part in parts)],
        rows=[
            [name, *(percent(count[name], part.images) for count, part in pairs)] for name in kept
        ],
        bars=shares,
    )


def shift(manifest: Manifest, parts: Sequence[Population]) -> Section:
    """Compares test with train: what a model meets there that it did not learn from."""
    of = {part.split: part for part in parts}
    if not {"train", "test"} <= of.keys():
        return Section("How test differs from train", ["There are no two splits to compare."])
    train, test = of["train"], of["test"]
    rows = [
        _row("AP films", train.share(_is_ap), test.share(_is_ap)),
        _row("women", train.share(_is_woman), test.share(_is_woman)),
        _row("children under 18", train.share(_is_child), test.share(_is_child)),
        _row("without finding", *(p.without_finding / p.images for p in (train, test))),
    ]
    for at, name in enumerate(manifest.findings):
        shares = [part.positives[at] / max(part.known[at], 1) for part in (train, test)]
        rows.append(_row(name.replace("_", " "), *shares))
    table = Table(
        caption=f"Test against train. A ratio beyond {_NOTABLE} either way is marked.",
        columns=["share of images", "train", "test", "ratio"],
        rows=rows,
    )
    words = [
        "The wider the two differ, the less a figure on validation, which resembles train, says of "
        "test. With few images a ratio says nothing."
    ]
    return Section("How test differs from train", words, [table])


def _row(name: str, train: float, test: float) -> list[str]:
    ratio = test / train if train else None
    if ratio is None:
        told = "-"
    else:
        marked = not 1 / _NOTABLE <= ratio <= _NOTABLE
        told = f"{'* ' if marked else ''}{ratio:.2f}"
    return [name, percent(train, 1), percent(test, 1), told]


def _is_ap(brief: Brief) -> bool:
    return brief.view == "AP"


def _is_woman(brief: Brief) -> bool:
    return brief.sex == "F"


def _is_child(brief: Brief) -> bool:
    return 0 <= brief.age < 18
