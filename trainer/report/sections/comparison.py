# SPDX-License-Identifier: MIT
"""The section that compares the predictions with those of another model on the same images."""

from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract.errors import DataError
from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import ends, number, words
from trainer.evaluation.comparison import Difference, compare
from trainer.evaluation.delong import PairedTest
from trainer.evaluation.intervals import as_json
from trainer.predictions.pairing import aligned
from trainer.predictions.table import Predictions
from trainer.report.figures.plots import nice_limits
from trainer.report.parts import Drawn, Heading, Notes, Part, Words, forest, unavailable
from trainer.report.source import Source

_ALPHA = 0.05


def build(source: Source) -> dict[str, Any]:
    """Returns the differences of AUC in every split that both files hold.

    Args:
        source: with `compared` and its name.

    Raises:
        DataError: the files have no split in common, or differ in the images, patients, labels or
            findings of one.
    """
    other = source.compared
    if other is None:
        return unavailable(
            "No second predictions file was given; --compare=FILE with another model's "
            "predictions of the same images compares both."
        )
    name = source.compared_name or "the compared predictions"
    common = [split for split in source.splits if split in other.split_names]
    if not common:
        raise DataError(
            f"{name}: holds the splits {', '.join(other.split_names)}, the predictions "
            f"{', '.join(source.splits)}; compare files that have a split in common"
        )
    splits = {split: _split(source, other, split, name) for split in common}
    left_out = [split for split in (*source.splits, *other.split_names) if split not in common]
    return {
        "available": True,
        "other": name,
        "resamples": source.resamples,
        "splits_of_one_file": left_out,
        "splits": splits,
        "notes": _notes(name, source.resamples, left_out),
    }


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns, for every split, what was found, the figures, and the differences drawn."""
    shown: list[Part] = []
    for split in reversed(section["splits"]):
        shown += [
            Heading(f"{split.capitalize()} split"),
            Words(summary(section, split), "plain"),
            _table(section, split),
            _drawn(section["splits"][split], split),
        ]
    return [*shown, Notes(section["notes"], "columns")]


def summary(section: Mapping[str, Any], split: str) -> str:
    """Says in a sentence or two what was found in a split.

    Args:
        section: what `build` returned.
        split: one of its splits.
    """
    entry = section["splits"][split]
    difference, p = entry["mean"]["difference"], entry["mean"]["p_value"]
    if difference["value"] is None:
        return f"No finding has an AUC on the {split} split, so nothing can be compared."
    side = "above" if difference["value"] >= 0 else "below"
    sentence = (
        f"The mean AUC of {section['other']} is {abs(difference['value']):.3f} {side} that of this "
        "report"
    )
    if difference["low"] is not None:
        sentence += f" (95% interval {ends(difference, '+.3f')}, p {_p(p)})"
    clear = [
        name
        for name, each in entry["findings"].items()
        if each["p_holm"] is not None and each["p_holm"] < _ALPHA
    ]
    tested = sum(each["p_holm"] is not None for each in entry["findings"].values())
    if not tested:
        return f"{sentence}. No single finding could be tested."
    what = "no single finding differs"
    if clear:
        what = "this finding differs" if len(clear) == 1 else "these findings differ"
        what = f"{what}: {', '.join(clear)}"
    return f"{sentence}. After correction for {tested} tests, {what}."


def _split(source: Source, other: Predictions, split: str, name: str) -> dict[str, Any]:
    rows = source.rows(split)
    second = aligned(rows, other.select(split), name=f"{name}, {split} split")
    found = compare(rows.labels, rows.scores, second, source.draws(split))
    return {
        "n": len(rows.ids),
        "findings": {
            finding: _entry(each)
            for finding, each in zip(rows.findings, found.findings, strict=True)
        },
        "mean": _entry(found.mean),
    }


def _entry(found: Difference) -> dict[str, Any]:
    return {
        "first": found.first,
        "second": found.second,
        "difference": as_json(found.difference),
        "p_value": found.p_value,
        "p_holm": found.p_holm,
        "delong": _test(found.delong),
        "clustered": _test(found.clustered),
    }


def _test(test: PairedTest | None) -> dict[str, Any] | None:
    if test is None:
        return None
    return {"standard_error": test.standard_error, "z": test.z, "p_value": test.p_value}


def _notes(name: str, resamples: int, left_out: Sequence[str]) -> list[str]:
    notes = [
        f"The difference is the AUC of {name} minus the AUC of this report, on the same images of "
        "the same patients. Both are scored on the same resamples of patients, so that what makes "
        "a resample easy or hard cancels out.",
        f"p: how unlikely so large a difference would be if there were none, from its spread over "
        f"the same {resamples:,} resamples, taken as normal. p (Holm) is corrected for the number "
        "of findings, of which some would differ by luck alone.",
        "p (clustered) is a test in closed form that takes patients as independent, not images "
        "(Obuchowski, Biometrics 1997): to quote where p is to be had without resampling.",
        "p (DeLong) takes images as independent, which images of one patient are not: it is "
        "commonly too small, and is here because it is what publications print.",
        "A difference says nothing of its cause. Two runs of one recipe with different seeds "
        "differ too, and the interval covers the luck of the tested patients only, not that of "
        "training.",
    ]
    if left_out:
        notes.append(f"Not compared, because only one of the files has it: {', '.join(left_out)}.")
    return notes


def _table(section: Mapping[str, Any], split: str) -> Table:
    entry = section["splits"][split]
    return Table(
        f"AUC here, AUC of {section['other']}, and the second minus the first with its 95% "
        "interval from resampled patients.",
        [
            *("Finding", "Here", "There", Column("Difference", css="strong")),
            *("p", "p (Holm)", "p (clustered)", "p (DeLong)"),
        ],
        [[words(name), *_cells(each)] for name, each in entry["findings"].items()],
        [["Mean", *_cells(entry["mean"])]],
        sortable=True,
    )


def _cells(each: Mapping[str, Any]) -> list[Cell]:
    closed = [(each[kind] or {"p_value": None})["p_value"] for kind in ("clustered", "delong")]
    chances = each["p_value"], each["p_holm"], *closed
    return [
        numeric(each["first"]),
        numeric(each["second"]),
        interval(each["difference"], "+.3f"),
        *(Cell(_p(chance), value=chance) for chance in chances),
    ]


def _drawn(entry: Mapping[str, Any], split: str) -> Drawn:
    named = {**entry["findings"], "Mean": entry["mean"]}
    areas = {words(name): each["difference"] for name, each in named.items()}
    return forest(
        "Differences of AUC drawn with their intervals; the table before holds the numbers.",
        ("Finding", "Difference, drawn", "Difference"),
        [(name, area, "mean" if name == "Mean" else split) for name, area in areas.items()],
        nice_limits(list(areas.values()), include=[0]),
        means=1,
        reference=0.0,
        form="+.3f",
        hide_caption=True,
    )


def _p(value: float | None) -> str:
    """A p-value as publications print it.

    >>> _p(0.04), _p(0.0001), _p(None)
    ('0.040', '< 0.001', 'not defined')
    """
    return "< 0.001" if value is not None and value < 0.001 else number(value)
