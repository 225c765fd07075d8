# SPDX-License-Identifier: MIT
"""Reads the findings of one line of a label file, in the data set's own names or in ours."""

import re
from collections.abc import Mapping, Sequence

from preprocessing.contract import cells, labels
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import BETWEEN, Table
from preprocessing.sources import several_rows
from preprocessing.sources.label_files import UNSAID

_READINGS = {"unknown": labels.UNKNOWN, "absent": labels.ABSENT, "present": labels.PRESENT}
# As Python, NumPy and JSON write a list of texts.
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


class Targets:
    """Reads lines as `table` describes them.

    Attributes:
        columns: those that hold findings.
        ignored: how many names in lists were not wanted.
    """

    def __init__(self, findings: Sequence[str], table: Table) -> None:
        self._findings, self._table = findings, table
        # For each finding the names that mean it, its own where no other does.
        self._names = [
            [name for name, ours in table.names.items() if finding in ours.split(BETWEEN)]
            or [finding]
            for finding in findings
        ]
        self._wanted = dict.fromkeys(name for names in self._names for name in names)
        self._met: set[str] = set()
        self.ignored = 0
        self.columns = [table.findings_column] if table.findings_column else [*self._wanted]

    def read(self, fields: Mapping[str, str]) -> tuple[int, ...]:
        """Returns one number for each finding.

        Args:
            fields: the names of `columns`, each with "finding " before it -> content, or `UNSAID`.

        Raises:
            DataError: a field that cannot be read.
        """
        if self._table.findings_column:
            return self._listed(fields[f"finding {self._table.findings_column}"])
        read = {name: self._one(fields[f"finding {name}"], name) for name in self.columns}
        return tuple(several_rows.any_of([read[one] for one in names]) for names in self._names)

    def _listed(self, text: str) -> tuple[int, ...]:
        table = self._table
        named = [] if text == UNSAID else _names_in(text, table)
        if not named:
            said = labels.UNKNOWN if text == UNSAID else _READINGS[table.empty]
            return (said,) * len(self._findings)
        if not table.names:
            if named == [table.no_finding]:
                return (labels.ABSENT,) * len(self._findings)
            return labels.encode("|".join(named), self._findings)
        self._met |= self._wanted.keys() & set(named)
        self.ignored += len(set(named) - {*self._wanted, table.no_finding, *table.incomplete})
        rest = labels.UNKNOWN if set(named) & set(table.incomplete) else labels.ABSENT
        return tuple(labels.PRESENT if set(names) & set(named) else rest for names in self._names)

    def check_met(self, path: str) -> None:
        """Refuses a finding none of whose names is in any list: perhaps all are misspelt."""
        for finding, names in zip(self._findings, self._names, strict=True):
            if self._table.names and self._table.findings_column and not self._met & set(names):
                raise DataError(
                    f"{path}: no line names {' or '.join(map(repr, names))}, so that {finding} is "
                    "never present: correct table.names, or leave it out of findings"
                )

    def _one(self, text: str, column: str) -> int:
        """Reads 1, 0, -1 or nothing, also as pandas writes them: 1.0, True."""
        if text == UNSAID:
            return labels.UNKNOWN
        if not text:
            return _READINGS[self._table.empty]
        value = cells.whole(text)
        if value == -1:
            return _READINGS[self._table.uncertain]
        truth = bool(value) if value in (0, 1) else cells.truth(text)
        if truth is None:
            raise DataError(
                f"column {column!r} is {text!r}, not 1, 0, -1 or empty, nor True or False"
            )
        return labels.PRESENT if truth else labels.ABSENT


def _names_in(text: str, table: Table) -> list[str]:
    """Returns the names of a list, plain or in brackets and quotes."""
    if not (text.startswith("[") and text.endswith("]")):
        return [name.strip() for name in text.split(table.separator)] if text else []
    if _QUOTED.sub("", text[1:-1]).strip(", \n"):
        raise DataError(f"the list {text!r} holds more than texts in quotes with commas between")
    names = ((found[1] or found[2] or "").strip() for found in _QUOTED.finditer(text))
    return [name for name in names if name]
