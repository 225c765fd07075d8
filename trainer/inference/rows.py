# SPDX-License-Identifier: MIT
"""Makes the rows of a predictions file out of answers, and the file out of rows."""

import dataclasses
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from preprocessing.contract import patients, pseudonyms
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.pictures.image import Original
from trainer.inference.scoring import Scored
from trainer.predictions.formats import encode
from trainer.predictions.table import RAW_PREFIX, SCORE_PREFIX
from trainer.serving.facts import Facts
from trainer.serving.names import DISTANCE, UNFAMILIAR

FLAG_PREFIX = "flag:"
DICOM_OUTPUT = "dicom_output"
_OF_DICOM = ("view", "sex", "age", "warnings")
# ChestX-ray14 names a picture by its patient and the number in the patient's series.
_NIH = re.compile(r"(\d{8})_\d{3}(\.[A-Za-z]+)?")
# In front of what stands for a patient until all have been seen and can be numbered.
_TO_NUMBER = "\0"

Row = dict[str, Any]


def rule_of(facts: Facts, wanted: str) -> str:
    """Returns the rule by which findings are flagged; "" if the model has no thresholds.

    Raises:
        UsageError: the model has no such rule.
    """
    if wanted and wanted not in facts.rules:
        has = f"has {', '.join(facts.rules)}" if facts.rules else "has no thresholds"
        raise UsageError(f"--rule={wanted}: the model {has}")
    return wanted or next(iter(facts.rules), "")


@dataclasses.dataclass(frozen=True)
class Maker:
    """Makes rows.

    Attributes:
        facts: of the model.
        split: what the films are called.
        rule: by which findings are flagged; "" for no flags.
        key: secret for pseudonyms of patients in DICOM files; empty to number them.
        salt: secret of this run alone, from which their numbers are made.
    """

    facts: Facts
    split: str
    rule: str
    key: bytes = dataclasses.field(repr=False)
    salt: bytes = dataclasses.field(repr=False)

    def row(self, scored: Scored) -> Row:
        """Returns a film's row: values of plain types by column, None for what is not known."""
        film, answer = scored.loaded.film, scored.answer
        assert film is not None and answer is not None
        flags: list[int | None] = []
        if self.rule:
            at = self.facts.rules.index(self.rule)
            flags = [None if flag < 0 else flag for flag in answer.flags[0, :, at].tolist()]
        of_model: Row = {}
        if answer.unfamiliar is not None:
            of_model[UNFAMILIAR] = int(answer.unfamiliar[0])
        if answer.distance is not None:
            of_model[DISTANCE] = float(answer.distance[0])
        return {
            "id": scored.loaded.id,
            "patient": self._patient(scored.loaded.id, film.original),
            "split": self.split,
            **self._by_finding(SCORE_PREFIX, answer.best[0].tolist()),
            **self._by_finding(RAW_PREFIX, answer.raw[0].tolist()),
            **self._by_finding(FLAG_PREFIX, flags),
            **of_model,
            "view": film.original.view,
            "sex": film.original.sex,
            "age": film.original.age if film.original.age >= 0 else None,
            "warnings": "; ".join(film.original.warnings),
        }

    def _by_finding(self, prefix: str, values: Sequence[Any]) -> Row:
        # No values where the model has no thresholds.
        return {prefix + name: value for name, value in zip(self.facts.findings, values)}  # noqa: B905

    def _patient(self, name: str, original: Original) -> str:
        if not patients.is_missing(original.patient):
            if self.key:
                return pseudonyms.of(original.patient, self.key)
            value = patients.value(original.patient).encode()
            return _TO_NUMBER + hmac.new(self.salt, value, hashlib.sha256).hexdigest()
        named = _NIH.fullmatch(storage.basename(name))
        return named[1] if named else name


def numbered(rows: Sequence[Row]) -> list[Row]:
    """Numbers the patients that have no other name, in the order in which they come."""
    numbers: dict[str, int] = {}
    for row in rows:
        if row["patient"].startswith(_TO_NUMBER):
            numbers.setdefault(row["patient"], len(numbers) + 1)
    return [
        {**row, "patient": f"patient-{numbers[row['patient']]:05d}"}
        if row["patient"] in numbers
        else row
        for row in rows
    ]


def content(path: str, rows: Sequence[Row]) -> bytes:
    """Returns a predictions file in the format that its suffix names.

    Scores are float32, with the digits that bring them back bit for bit.
    """
    frame = pd.DataFrame(list(rows))
    texts = {"id", "patient", "split", DICOM_OUTPUT, *_OF_DICOM} - {"age"}
    columns = {
        str(name): frame[name].to_numpy(np.str_ if name in texts else np.float32)
        for name in frame.columns
    }
    if not path.lower().endswith(".jsonl"):
        return encode(path, columns)
    plain = pd.DataFrame(columns)
    return plain.to_json(
        orient="records", lines=True, double_precision=15, force_ascii=False
    ).encode()
