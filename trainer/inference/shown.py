# SPDX-License-Identifier: MIT
"""Shows what a model says of a film as text."""

from preprocessing.contract.tables import Cell, Column, Table, numeric
from trainer.inference import rows
from trainer.inference.rows import Row
from trainer.predictions.table import SCORE_PREFIX
from trainer.serving.facts import Facts
from trainer.serving.names import UNFAMILIAR

NOTICE = "Research use, not a medical device."
_FLAGS = {1: "yes", 0: "no", None: "-"}


def film(row: Row, facts: Facts, rule: str, *, calibrated: bool) -> str:
    """Returns a table of the findings of a film, the most likely ones first.

    Args:
        row: as `rows.Maker` makes it.
        facts: of the model.
        rule: by which findings are flagged; "" for no column of flags.
        calibrated: whether scores are probabilities.
    """
    columns = [Column("Finding"), Column("Probability" if calibrated else "Score")]
    columns.append(Column("Prevalence"))
    if rule:
        columns.append(Column(f"Flag ({rule})", kind="text"))
    lines = []
    for name in sorted(facts.findings, key=lambda name: -row[SCORE_PREFIX + name]):
        flag = [Cell(_FLAGS[row[rows.FLAG_PREFIX + name]])] if rule else []
        score = numeric(row[SCORE_PREFIX + name])
        lines.append([Cell(name), score, numeric(facts.prevalence.get(name)), *flag])
    said = [row["id"], *_of_dicom(row)]
    if row.get(UNFAMILIAR):
        said.append(
            "UNFAMILIAR: this picture is unlike those that the model was trained on; its scores "
            "may mean nothing"
        )
    table = Table(caption="", columns=columns, rows=lines, hide_caption=True)
    return "\n".join([*said, table.text()])


def _of_dicom(row: Row) -> list[str]:
    known = [row["view"], row["sex"], "" if row["age"] is None else f"{row['age']} years"]
    return [", ".join(filter(None, known))] * any(known) + [row["warnings"]] * bool(row["warnings"])
