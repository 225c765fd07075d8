# SPDX-License-Identifier: MIT
"""A data set's own names are read as ours, in columns and in lists; what is not said is unknown."""

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import Table
from preprocessing.sources.label_files import UNSAID
from preprocessing.sources.targets import Targets

_FINDINGS = ["Edema", "Effusion", "Pneumothorax"]
_COLUMNS = Table(
    names={"Fluid": "Effusion", "Both": "Effusion|Pneumothorax", "Air": "Pneumothorax"}
)


def _fields(**values: str) -> dict[str, str]:
    return {f"finding {name}": value for name, value in values.items()}


@pytest.mark.parametrize(
    ("edema", "fluid", "both", "air", "expected"),
    [
        ("1", "0", "0", "0", (1, 0, 0)),
        ("0", "1", "", "0", (0, 1, -1)),
        ("", "0", "1", "-1", (-1, 1, 1)),
        ("0.0", "0.0", "-1", "1", (0, -1, 1)),
    ],
)
def test_several_columns_may_mean_one_finding(
    edema: str, fluid: str, both: str, air: str, expected: tuple[int, ...]
) -> None:
    targets = Targets(_FINDINGS, _COLUMNS)
    assert targets.columns == ["Edema", "Fluid", "Both", "Air"]
    assert targets.read(_fields(Edema=edema, Fluid=fluid, Both=both, Air=air)) == expected


def test_what_no_file_says_is_unknown_however_empty_fields_are_read() -> None:
    table = Table(empty="absent", names={"Fluid": "Effusion"})
    targets = Targets(["Edema", "Effusion"], table)
    assert targets.read(_fields(Edema="", Fluid="")) == (0, 0)
    assert targets.read(_fields(Edema="", Fluid=UNSAID)) == (0, -1)
    listed = Targets(["Edema"], Table(empty="absent", findings_column="what"))
    assert listed.read(_fields(what="")) == (0,)
    assert listed.read(_fields(what=UNSAID)) == (-1,)


_LIST = Table(
    findings_column="what",
    no_finding="normal",
    names={"edema": "Edema", "fluid": "Effusion", "both": "Effusion|Pneumothorax"},
    incomplete=["unchanged"],
)


@pytest.mark.parametrize(
    ("text", "expected", "ignored"),
    [
        ("['normal']", (0, 0, 0), 0),
        ("['fluid', ' edema', 'fluid']", (1, 1, 0), 0),
        ("['both', 'scar', \"aunt's scar\"]", (0, 1, 1), 2),
        ("['unchanged', 'fluid']", (-1, 1, -1), 0),
        ("['edema' 'both']", (1, 1, 1), 0),
        ('["edema"]', (1, 0, 0), 0),
        ("[]", (-1, -1, -1), 0),
        ("['']", (-1, -1, -1), 0),
        ("", (-1, -1, -1), 0),
        ("fluid|scar", (0, 1, 0), 1),
    ],
)
def test_a_list_is_read_in_the_data_sets_own_names(
    text: str, expected: tuple[int, ...], ignored: int
) -> None:
    targets = Targets(_FINDINGS, _LIST)
    assert targets.read(_fields(what=text)) == expected
    assert targets.ignored == ignored


def test_a_list_in_brackets_without_names_is_as_strict_as_a_plain_one() -> None:
    targets = Targets(["Mass"], Table(findings_column="what"))
    assert targets.read(_fields(what="['Mass']")) == (1,)
    assert targets.read(_fields(what="['No Finding']")) == (0,)
    with pytest.raises(DataError, match="'Scar' is not among the 1 findings"):
        targets.read(_fields(what="['Scar']"))


@pytest.mark.parametrize("text", ["['a', nan]", "[a, b]", "['a', 'b]"])
def test_brackets_with_more_than_quoted_texts_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="holds more than texts in quotes"):
        Targets(_FINDINGS, _LIST).read(_fields(what=text))


def test_a_finding_that_no_line_names_is_refused_as_misspelt() -> None:
    targets = Targets(_FINDINGS, _LIST)
    targets.read(_fields(what="['edema', 'fluid']"))
    with pytest.raises(DataError, match="x.csv: no line names 'both', so that Pneumothorax is ne"):
        targets.check_met("x.csv")
    targets.read(_fields(what="['both']"))
    targets.check_met("x.csv")
