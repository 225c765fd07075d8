# SPDX-License-Identifier: MIT
"""Reads the labels of any other data set: tables with an image column and findings."""

import collections
import posixpath
import re
from collections.abc import Container, Mapping, Sequence

from preprocessing.contract import cells, patients, vocabulary
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation.config import Table
from preprocessing.contract.vocabulary import Vocabulary
from preprocessing.sources import several_rows, text_files, views
from preprocessing.sources.label_files import UNSAID, LabelFiles, Line
from preprocessing.sources.row import SIZE_OF_PICTURE, Row
from preprocessing.sources.targets import Targets

# --config.findings would be a list, which no flag can set.
_FINDINGS = (
    "list this file's own under `findings` in the --config file, or set table.findings_column, or "
    "say in table.names what its names mean"
)
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
_YEAR = re.compile(r"(?:18|19|20)[0-9]{2}")


class Index:
    """The rows of a label file.

    Attributes:
        rows: in the file's order; `patient` is empty where only the picture knows.
        splits: id -> split, from the split column; empty without one.
        left_out: rows that `only_column` left out.
        counters: what else is worth counting, where the settings make it possible.
        warnings: (id, text) of fields that are not understood, or not plain, or in no file.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.splits: dict[str, str] = {}
        self.left_out = 0
        self.counters = collections.Counter[str]()
        self.warnings: list[tuple[str, str]] = []


def read_index(
    paths: str | Sequence[str],
    findings: Sequence[str],
    table: Table,
    words: Vocabulary | None = None,
) -> Index:
    """Reads label files as `table` describes them; views by `words`, or by the table of all.

    Raises:
        DataError: a missing file or column, a value that cannot be read, a name given twice; it
            names the file and the line.
    """
    files = LabelFiles([paths] if isinstance(paths, str) else paths, table.keys)
    targets = Targets(findings, table)
    place = _places(files, targets, table)
    index, words = Index(), words or vocabulary.of({})
    sexes: set[str] = set()
    for line in files.lines():
        try:
            fields = text_files.fields(line.fields, place)
            if table.only_column and fields["only"] not in table.only_values:
                index.left_out += 1
                continue
            found = targets.read(fields)
            fields = {key: text.replace(UNSAID, "") for key, text in fields.items()}
            view = views.read(fields.get("view", ""), table.view_column, words)
            row = _row(fields, found, table, view)
            if table.split_column:
                _take_split(index, row, fields, table)
        except (DataError, ValueError, OverflowError) as error:
            where = f"{line.path}, line {line.number}"
            raise DataError(f"{where}: {error}; fix or remove the line") from error
        index.rows.append(row)
        index.warnings += _warnings(row, fields, table, view, line)
        index.counters["rows_without_partner"] += bool(line.alone)
        sexes.add(fields.get("sex", "").casefold())
    _refuse_spanish(sexes, files.name, table.sex_column)
    index.counters["label_lines_without_row"] = files.left_over
    index.counters["labels_not_wanted"] = targets.ignored
    index.counters = +index.counters  # without what is 0
    if not index.rows:
        raise DataError(f"{files.name} has no rows that count: use the complete label file")
    targets.check_met(files.name)
    return _one_of_each(index, files.name, table)


def _one_of_each(index: Index, name: str, table: Table) -> Index:
    if table.rows == "one":
        text_files.refuse_duplicates(name, (row.id for row in index.rows))
        return index
    rows = several_rows.combine(name, index.rows, table.rows)
    index.counters["rows_combined"], index.rows = len(index.rows) - len(rows), rows
    index.warnings = list(dict.fromkeys(index.warnings))
    return index


def _warnings(
    row: Row, fields: Mapping[str, str], table: Table, view: views.View, line: Line
) -> list[tuple[str, str]]:
    age = text_files.age_warning(fields.get("age", ""), table.age_column)
    sex = _sex_warning(fields.get("sex", ""), table.sex_column)
    silent = [
        f"{storage.basename(path)} has no line for it: what it would say is unknown"
        for path in line.alone
    ]
    return [(row.id, text) for text in (view.warning, age, sex, *silent) if text]


def _places(files: LabelFiles, targets: Targets, table: Table) -> dict[str, int]:
    settings = {
        "id": "image_column",
        "patient": "patient_column",
        "labels": "findings_column",
        "split": "split_column",
        "view": "view_column",
        "sex": "sex_column",
        "age": "age_column",
        "date": "date_column",
        "follow_up": "follow_up_column",
        "only": "only_column",
    }
    place, joined = {}, "give --labels also the file that has it, or " if table.keys else ""
    for key, setting in settings.items():
        advice = f"name the column that is meant in --config.table.{setting}"
        if setting != "image_column":
            advice += ", or leave that empty"
        if name := getattr(table, setting):
            place[key] = text_files.column(files.name, files.header, name, advice=joined + advice)
    for name in targets.columns:
        advice = joined + _FINDINGS
        place[f"finding {name}"] = text_files.column(files.name, files.header, name, advice=advice)
    return place


def _row(fields: dict[str, str], targets: tuple[int, ...], table: Table, view: views.View) -> Row:
    name = fields["id"].replace("\\", "/").lstrip("/")
    if not name:
        raise DataError("the image name is empty")
    if table.image_suffix:
        name = posixpath.splitext(name)[0] + table.image_suffix
    if table.date_column:
        fields["age"] = _years_between(fields["age"], fields["date"])
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


def _years_between(birth: str, date: str) -> str:
    """Returns the years between dates that begin with the year, which may be one too many."""
    born, seen = _YEAR.match(birth), _YEAR.match(date)
    return str(int(seen[0]) - int(born[0])) if born and seen else ""


def _take_split(index: Index, row: Row, fields: Mapping[str, str], table: Table) -> None:
    text, where = fields["split"], f"column {table.split_column!r}"
    if table.split_pattern:
        found = re.search(table.split_pattern, text)
        text, where = found[1] or "" if found else "", f"{where} by table.split_pattern"
    word = table.split_words.get(text, text)
    if word.casefold() not in _SPLITS:
        words = "; ".join(f"{split} ({', '.join(_WORDS[split][1:])})" for split in _WORDS)
        raise DataError(f"{where} is {word!r}, which names no split: {words}")
    split = _SPLITS[word.casefold()]
    if (earlier := index.splits.setdefault(row.id, split)) != split:
        raise DataError(f"{row.id} is in {split}, but in {earlier} by an earlier line")
