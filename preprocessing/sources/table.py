# SPDX-License-Identifier: MIT
"""Reads the labels of any other data set: a CSV file with an image column and findings."""

import re
from collections.abc import Container, Mapping, Sequence

from preprocessing.contract import cells, labels, patients, vocabulary
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import Table
from preprocessing.contract.vocabulary import Vocabulary
from preprocessing.sources import several_rows, text_files, views
from preprocessing.sources.row import SIZE_OF_PICTURE, Row

# --config.findings would be a list, which no flag can set.
_FINDINGS = (
    "list this file's own under `findings` in the --config file, or set table.findings_column"
)
_READINGS = {"unknown": labels.UNKNOWN, "absent": labels.ABSENT, "present": labels.PRESENT}
_OTHER_SEXES = ("o", "other", "u", "d", "x")
# What data sets call their splits; MIMIC-CXR says validate, others dev or eval.
_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": (
        *("validation", "validate", "valid", "val", "validating", "dev", "devel", "development"),
        *("eval", "evaluation", "evaluate", "tune", "tuning"),
    ),
    "test": ("test", "testing", "tst"),
}
_SPLITS = {word: split for split, words in _WORDS.items() for word in words}


class Index:
    """The rows of a label file.

    Attributes:
        rows: in the file's order; `patient` is empty where only the picture knows.
        splits: id -> split, from the split column; empty without one.
        left_out: rows that `only_column` left out.
        combined: rows that went into the row of another, of the same image.
        warnings: (id, text) of fields that are not understood, or not plain.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.splits: dict[str, str] = {}
        self.left_out = 0
        self.combined = 0
        self.warnings: list[tuple[str, str]] = []


def read_index(
    path: str, findings: Sequence[str], table: Table, words: Vocabulary | None = None
) -> Index:
    """Reads a label file as `table` describes it; views by `words`, or by the table of all.

    Raises:
        DataError: a missing file or column, a value that cannot be read, a name given twice; it
            names the file and the line.
    """
    lines = text_files.csv_lines(path)
    place = _places(path, next(lines)[1], findings, table)
    index, words = Index(), words or vocabulary.of({})
    sexes: set[str] = set()
    for number, line in lines:
        try:
            fields = text_files.fields(line, place)
            if table.only_column and fields["only"] not in table.only_values:
                index.left_out += 1
                continue
            view = views.read(fields.get("view", ""), table.view_column, words)
            row = _row(fields, findings, table, view)
            if table.split_column:
                split = _split(fields["split"], table.split_column)
                if index.splits.setdefault(row.id, split) != split:
                    raise DataError(f"{row.id} is in {split}, but in an earlier line not")
        except (DataError, ValueError, OverflowError) as error:
            raise DataError(f"{path}, line {number}: {error}; fix or remove the line") from error
        index.rows.append(row)
        age = text_files.age_warning(fields.get("age", ""), table.age_column)
        sex = _sex_warning(fields.get("sex", ""), table.sex_column)
        index.warnings += [(row.id, text) for text in (view.warning, age, sex) if text]
        sexes.add(fields.get("sex", "").casefold())
    _refuse_spanish(sexes, path, table.sex_column)
    if not index.rows:
        raise DataError(f"{path} has no rows that count: use the complete label file")
    if table.rows == "one":
        text_files.refuse_duplicates(path, (row.id for row in index.rows))
        return index
    rows = several_rows.combine(path, index.rows, table.rows)
    index.combined, index.rows = len(index.rows) - len(rows), rows
    index.warnings = list(dict.fromkeys(index.warnings))
    return index


def _places(
    path: str, header: Sequence[str], findings: Sequence[str], table: Table
) -> dict[str, int]:
    settings = {
        "id": "image_column",
        "patient": "patient_column",
        "labels": "findings_column",
        "split": "split_column",
        "view": "view_column",
        "sex": "sex_column",
        "age": "age_column",
        "follow_up": "follow_up_column",
        "only": "only_column",
    }
    place = {}
    for key, setting in settings.items():
        advice = f"name the column that is meant in --config.table.{setting}"
        if setting != "image_column":
            advice += ", or leave that empty"
        if name := getattr(table, setting):
            place[key] = text_files.column(path, header, name, advice=advice)
    if not table.findings_column:
        for name in findings:
            place[f"finding {name}"] = text_files.column(path, header, name, advice=_FINDINGS)
    return place


def _row(fields: Mapping[str, str], findings: Sequence[str], table: Table, view: views.View) -> Row:
    name = fields["id"].replace("\\", "/").lstrip("/")
    if not name:
        raise DataError("the image name is empty")
    if table.findings_column:
        targets = _from_list(fields["labels"], findings, table)
    else:
        targets = tuple(_target(fields[f"finding {name}"], name, table) for name in findings)
    return Row(
        id=name,
        patient=_patient(fields, table),
        targets=targets,
        refused=view.refused,
        view=view.direction,
        sex=cells.sex(fields.get("sex", "")),
        age=cells.years(fields.get("age", ""))[0],
        follow_up=text_files.whole(fields.get("follow_up", ""), table.follow_up_column, unknown=-1),
        width=SIZE_OF_PICTURE,
        height=SIZE_OF_PICTURE,
    )


def _refuse_spanish(sexes: Container[str], path: str, column: str) -> None:
    if "m" in sexes and ("h" in sexes or "v" in sexes) and "f" not in sexes:
        raise DataError(
            f"{path}: column {column!r} holds M beside H or V, so that M may mean mujer: write M "
            "for men and F for women"
        )


def _sex_warning(text: str, column: str) -> str:
    known = cells.sex(text) or text.casefold() in _OTHER_SEXES or cells.is_missing(text)
    return "" if known else f"column {column!r} is {text!r}, neither M nor F: taken as unknown"


def _patient(fields: Mapping[str, str], table: Table) -> str:
    in_name = ""
    if table.patient_pattern:
        found = re.search(table.patient_pattern, fields["id"])
        if not found or not found.group(1) or patients.is_missing(found.group(1)):
            raise DataError(f"{table.patient_pattern!r} finds no patient in {fields['id']!r}")
        in_name = found.group(1)
    if not table.patient_column:
        return in_name
    text_files.refuse_nobody(fields["patient"], table.patient_column)
    if in_name and patients.value(in_name) != patients.value(fields["patient"]):
        raise DataError(
            f"column {table.patient_column!r} is {fields['patient']!r}, but by "
            f"table.patient_pattern {fields['id']!r} is of patient {in_name!r}"
        )
    return fields["patient"]


def _from_list(text: str, findings: Sequence[str], table: Table) -> tuple[int, ...]:
    if not text:
        return (_READINGS[table.empty],) * len(findings)
    named = [name.strip() for name in text.split(table.separator)]
    if named == [table.no_finding]:
        return (labels.ABSENT,) * len(findings)
    return labels.encode("|".join(named), findings)


def _target(text: str, finding: str, table: Table) -> int:
    """Reads 1, 0, -1 or nothing, also as pandas writes them: 1.0, True."""
    if not text:
        return _READINGS[table.empty]
    value = cells.whole(text)
    if value == -1:
        return _READINGS[table.uncertain]
    truth = bool(value) if value in (0, 1) else cells.truth(text)
    if truth is None:
        raise DataError(f"column {finding!r} is {text!r}, not 1, 0, -1 or empty, nor True or False")
    return labels.PRESENT if truth else labels.ABSENT


def _split(text: str, column: str) -> str:
    if text.casefold() not in _SPLITS:
        words = "; ".join(f"{split} ({', '.join(_WORDS[split][1:])})" for split in _WORDS)
        raise DataError(f"column {column!r} is {text!r}, which names no split: {words}")
    return _SPLITS[text.casefold()]
