# SPDX-License-Identifier: MIT
"""The section of pictures: the worst errors and the most confident hits of each finding."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from preprocessing.contract.tables import Column, Table, numeric
from preprocessing.contract.wording import number, words
from trainer.predictions import heat_map_files
from trainer.predictions.heat_map_files import KINDS, Gallery
from trainer.predictions.placement import Placement
from trainer.report.figures import overlay
from trainer.report.parts import Drawn, Fold, Notes, Part, unavailable
from trainer.report.sections import beside
from trainer.report.sections.card_facts import is_phantom
from trainer.report.source import Source

SPLIT = "test"
TITLES = {"false_alarm": "False alarms", "miss": "Misses", "hit": "Hits"}
_ONE = {"false_alarm": "false alarm", "miss": "miss", "hit": "hit"}
_MEANINGS = {
    "false_alarm": "Without the finding by its label, with the highest scores.",
    "miss": "With the finding by its label, with the lowest scores.",
    "hit": "With the finding by its label, with the highest scores.",
}
_ASK = "evaluate with --config.evaluation.gallery=3"
# Heat is kept in hundredths.
_HEAT_STEPS = 100

_GALLERY = Markup(
    '<div class="gallery">\n<p class="key"><label><input type="checkbox" class="heat-switch" '
    "checked> Show heat maps</label></p>\n{}\n</div>"
)
_FOLD = Markup("<details{}>\n<summary>{}</summary>\n{}\n</details>")
_HEADING = Markup('<h4>{}<span class="hidden"> of {}</span></h4>\n')
_ASIDE = Markup('<p class="aside">{}</p>\n')
_CASES = Markup('<ul class="cases">\n{}\n</ul>')
_CASE = Markup("<li><figure>{}<figcaption><b>{}</b> {}<br>Labels: {}</figcaption></figure></li>")


def build(source: Source) -> dict[str, Any]:
    """Returns the cases with pictures, heat maps and boxes, or why there are none.

    Raises:
        DataError: gallery.npz is damaged.
    """
    path = beside.path_of(source, heat_map_files.GALLERY)
    if not path:
        return unavailable(f"no pictures lie beside the predictions: {_ASK}")
    found = heat_map_files.read_gallery(path)
    if not len(found.ids):
        return unavailable("no image of the test split has a known label")
    rows = source.rows(SPLIT)
    if beside.rows_of(rows, found.ids, found.findings, found.scores) is None:
        return unavailable(f"{heat_map_files.GALLERY} is of other predictions: {_ASK}")
    present = set(found.findings.tolist())
    return {
        "available": True,
        "split": SPLIT,
        "cases": len(found.ids),
        "placement": {
            "first": found.placement.first,
            "step": found.placement.step,
            "left": found.placement.left,
            "side": found.placement.side,
        },
        "findings": {name: _of_finding(found, name) for name in rows.findings if name in present},
        "notes": _notes(len(found.ids), is_phantom=is_phantom(source)),
    }


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the drawings, by finding and kind, and a table of what they show."""
    placement = Placement(**section["placement"])
    folds = [
        _FOLD.format(
            Markup("" if at else " open"),
            words(name),
            Markup("\n").join(_row(name, kind, kinds[kind], placement) for kind in KINDS),
        )
        for at, (name, kinds) in enumerate(section["findings"].items())
    ]
    rows = [
        [words(name), _ONE[kind], case["id"], numeric(case["score"]), _labels(case)]
        for name, kinds in section["findings"].items()
        for kind in KINDS
        for case in kinds[kind]
    ]
    columns: list[Column | str] = ["Finding", *(Column(each, "text") for each in ("Kind", "Image"))]
    columns += ["Score", Column("Labels", "text")]
    table = Table("The cases, with the score of the finding.", columns, rows, sortable=True)
    drawings = Drawn(_GALLERY.format(Markup("\n").join(folds)))
    return [Notes(section["notes"]), drawings, Fold("As a table", [table])]


def _row(name: str, kind: str, cases: Sequence[Mapping[str, Any]], placement: Placement) -> Markup:
    """The cases of one kind, or the words that none qualifies."""
    heading = _HEADING.format(TITLES[kind], words(name))
    if not cases:
        return heading + _ASIDE.format("None: no image of the test split qualifies.")
    drawn = (
        _CASE.format(
            _drawn(name, kind, case, placement), number(case["score"]), case["id"], _labels(case)
        )
        for case in cases
    )
    return heading + _ASIDE.format(_MEANINGS[kind]) + _CASES.format(Markup("\n").join(drawn))


def _of_finding(found: Gallery, name: str) -> dict[str, list[dict[str, Any]]]:
    own = np.flatnonzero(found.findings == name)
    return {
        kind: [_case(found, row) for row in own.tolist() if found.kinds[row] == kind]
        for kind in KINDS
    }


def _case(found: Gallery, row: int) -> dict[str, Any]:
    labels = found.labels[row]
    return {
        "id": str(found.ids[row]),
        "score": float(found.scores[row]),
        "present": [found.label_names[at] for at in np.flatnonzero(labels == 1)],
        "unknown": [found.label_names[at] for at in np.flatnonzero(np.isnan(labels))],
        "boxes": [[round(share, 4) for share in box] for box in found.boxes[row].tolist()],
        "heat": np.round(found.maps[row] * _HEAT_STEPS).astype(int).tolist(),
        "jpeg": base64.b64encode(found.thumbnails[row]).decode(),
    }


def _labels(case: Mapping[str, Any]) -> str:
    known = words(", ".join(case["present"])) or "no finding"
    unknown = words(", ".join(case["unknown"]))
    return f"{known}; unknown: {unknown}" if unknown else known


def _drawn(name: str, kind: str, case: Mapping[str, Any], placement: Placement) -> Markup:
    heat = np.asarray(case["heat"], np.float32) / _HEAT_STEPS
    label = (
        f"Radiograph {case['id']}, {_ONE[kind]} of {words(name)}, score {case['score']:.3f}; heat "
        f"map: {overlay.where(heat, placement)}"
        + ("; with a box around the finding" if case["boxes"] else "")
    )
    return overlay.drawing(
        picture=case["jpeg"],
        heat=overlay.heat_layer(heat, placement),
        boxes=case["boxes"],
        label=label,
    )


def _notes(cases: int, *, is_phantom: bool) -> list[str]:
    labels = (
        "Labels were read out of reports by a program and are often wrong: a false alarm may be a "
        "finding that the report did not name."
    )
    frames = "a finding's place in the drawing" if is_phantom else "radiologists' boxes"
    return [
        f"{cases} cases of the test split, chosen by rank and not by a threshold: the highest "
        "scores among images without a finding, the lowest and the highest among those with it. A "
        "patient appears at most once in a row. Extreme cases are not typical ones.",
        "The pictures are a phantom's: they were drawn." if is_phantom else labels,
        "The colour shows what moved the score of the finding, not where disease is; a miss can "
        "have a map as bright as a hit, since each is scaled to its own maximum. Frames are "
        f"{frames}, which few images have.",
        "Pictures are 128 pixels wide: they show what the image is, not enough to read it.",
    ]
