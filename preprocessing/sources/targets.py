# SPDX-License-Identifier: MIT
"""Reads the findings of one line of a label file, in the data set's own names or in ours."""

import re
from collections.abc import Container, Mapping, Sequence

from preprocessing.contract import cells, labels
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import BETWEEN, Table
from preprocessing.sources import several_rows

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
        self._names = names_of(findings, table.names)
        self._wanted = dict.fromkeys(name for names in self._names.values() for name in names)
        self._met: set[str] = set()
        self.ignored = 0
        self.columns = [table.findings_column] if table.findings_column else [*self._wanted]

    def read(self, fields: Mapping[str, str], unsaid: Container[str] = ()) -> tuple[int, ...]:
        """Returns one number for each finding.

        Args:
            fields: the names of `columns`, each with "finding " before it -> content.
            unsaid: those of which the files say nothing for this line, not even "empty".

        Raises:
            DataError: a field that cannot be read.
        """
        said = {
            name: None if f"finding {name}" in unsaid else fields[f"finding {name}"]
            for name in self.columns
        }
        if self._table.findings_column:
            return self._listed(said[self._table.findings_column])
        read = {name: self._one(text, name) for name, text in said.items()}
        return tuple(
            several_rows.any_of([read[name] for name in names]) for names in self._names.values()
        )

    def _listed(self, text: str | None) -> tuple[int, ...]:
        table = self._table
        named = None if text is None else _names_in(text, table)
        if not named:
            said = labels.UNKNOWN if named is None else _READINGS[table.empty]
            return (said,) * len(self._findings)
        if not table.names:
            if named == [table.no_finding]:
                return (labels.ABSENT,) * len(self._findings)
            return labels.encode("|".join(named), self._findings)
        self._met |= self._wanted.keys() & set(named)
        self.ignored += len(set(named) - {*self._wanted, table.no_finding, *table.incomplete})
        rest = labels.UNKNOWN if set(named) & set(table.incomplete) else labels.ABSENT
        return tuple(
            labels.PRESENT if set(names) & set(named) else rest for names in self._names.values()
        )

    def check_met(self, path: str) -> None:
        """Refuses a finding none of whose names is in any list: perhaps all are misspelt."""
        for finding, names in self._names.items():
            if self._table.names and self._table.findings_column and not self._met & set(names):
                raise DataError(
                    f"{path}: no line names {' or '.join(map(repr, names))}, so that {finding} is "
                    "never present: correct table.names, or leave it out of findings"
                )

    def _one(self, text: str | None, column: str) -> int:
        """Reads 1, 0, -1 or nothing, also as pandas writes them: 1.0, True."""
        if text is None:
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


def names_of(findings: Sequence[str], names: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns for each finding the names that mean it, its own where no other does.

    >>> names_of(["Edema", "Effusion"], {"Pleural Effusion": "Effusion"})
    {'Edema': ['Edema'], 'Effusion': ['Pleural Effusion']}
    """
    return {
        finding: [name for name, ours in names.items() if finding in ours.split(BETWEEN)]
        or [finding]
        for finding in findings
    }


def _names_in(text: str, table: Table) -> list[str]:
    """Returns the names of a list, plain or in brackets and quotes."""
    if not (text.startswith("[") and text.endswith("]")):
        return [name.strip() for name in text.split(table.separator)] if text else []
    if _QUOTED.sub("", text[1:-1]).strip(", \n"):
        raise DataError(f"the list {text!r} holds more than texts in quotes with commas between")
    names = ((found[1] or found[2] or "").strip() for found in _QUOTED.finditer(text))
    return [name for name in names if name]
