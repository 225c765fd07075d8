# SPDX-License-Identifier: MIT
"""A table says the same in every form, and no text in it becomes markup."""

import csv
import re

import pytest
from markupsafe import Markup

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import escape

AREA = {"value": 0.81234, "low": 0.8, "high": 0.824}
NOTHING = {"value": None, "low": None, "high": None}
DRAWING = Markup("<svg></svg>")


def table(**more: object) -> Table:
    columns = ["Finding", Column("Positives"), Column("AUC", css="strong"), Column("Drawn", "plot")]
    rows = [
        [Cell("Mass", flag="few"), numeric(1234, ","), interval(AREA), DRAWING],
        ["Hernia", numeric(0, ","), interval(NOTHING), ""],
    ]
    return Table("What <it> shows", columns, rows, [["Mean", "", interval(AREA), ""]], **more)


def test_every_form_holds_every_figure_and_says_what_is_not_defined() -> None:
    made = table()
    assert [line for line in made.markdown().splitlines() if line.startswith("|")] == [
        "| Finding | Positives | AUC |",
        "| --- | ---: | ---: |",
        r"| Mass (few) | 1,234 | 0.812 \[0.800, 0.824\] |",
        "| Hernia | 0 | not defined |",
        r"| Mean |  | 0.812 \[0.800, 0.824\] |",
    ]
    assert made.text().splitlines() == [
        "Finding  Positives                   AUC",
        "-" * 40,
        "Mass *       1,234  0.812 [0.800, 0.824]",
        "Hernia           0           not defined",
        "-" * 40,
        "Mean                0.812 [0.800, 0.824]",
        "* few",
    ]
    rows = list(csv.reader(made.csv().splitlines()))
    assert [row[:3] for row in rows[1:]] == [
        ["Mass", "1234", "0.81234"],
        ["Hernia", "0", ""],
        ["Mean", "", "0.81234"],
    ]


def test_html_has_scopes_a_caption_and_values_to_sort_by() -> None:
    text = table(sortable=True).html("c1")
    assert text.startswith('<table class="numbers sortable">')
    assert '<caption id="c1">What &lt;it&gt; shows</caption>' in text
    assert '<th class="name" scope="col">Finding</th>' in text
    assert '<th scope="row" data-value="Mass">Mass <span class="flag">few</span></th>' in text
    assert '<td class="strong" data-value="0.81234">0.812<br><small>[0.800, 0.824]</small>' in text
    assert '<td class="strong">not defined</td>' in text and "<svg></svg>" in text
    assert "data-value" not in text[text.index("<tfoot>") :] and "data-value" not in table().html()


def test_groups_of_columns_have_a_head_and_are_said_in_full_elsewhere() -> None:
    columns = ["Finding", *(Column(each, group="1%", of="at 1%") for each in ("PPV", "NPV"))]
    made = Table("c", columns, [["Mass", "0.1", "0.9"]], hide_caption=True)
    text = made.html()
    assert '<tr><td></td><th scope="colgroup" colspan="2">1%</th></tr>' in text
    assert 'PPV<span class="hidden"> at 1%</span>' in text
    assert made.markdown().splitlines()[0] == "| Finding | PPV at 1% | NPV at 1% |"
    assert '<caption class="hidden">c</caption>' in text


def test_rows_of_one_name_are_a_group() -> None:
    columns = ["Finding", Column("By", "name", css="by"), "Value"]
    rows = [["Mass", "map", "1"], ["Mass", "chance", "2"], ["Edema", "map", "3"]]
    text = Table("c", columns, rows, grouped=True).html()
    assert text.count("<tbody>") == 2
    assert '<th scope="rowgroup" rowspan="2">Mass</th><th class="by" scope="row">map</th>' in text
    assert '<tr><th class="by" scope="row">chance</th><td>2</td></tr>' in text


def test_what_is_drawn_is_said_to_those_who_do_not_see_it() -> None:
    cell = Cell(DRAWING, unseen="from 1 to 2")
    made = Table("c", ["Finding", "Range"], [["Mass", cell]])
    assert '<td><svg></svg><span class="hidden">from 1 to 2</span></td>' in made.html()
    assert "| Mass | from 1 to 2 |" in made.markdown()


@pytest.mark.parametrize("text", ["a|b", "new\nline", "<i>c</i>", "`x` [y](z)", "\\|", "*_*"])
def test_no_text_leaves_its_cell(text: str) -> None:
    made = Table("c", [text, "n"], [[text, "1"]], hide_caption=True)
    lines = made.markdown().splitlines()
    assert len(lines) == 3
    assert {len(re.split(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {4}
    assert "<" not in escape(text) and "<i>" not in made.html()


def test_the_first_column_is_text_and_the_others_numbers_unless_said() -> None:
    head = {"caption": "c", "rows": [], "hide_caption": True}
    assert Table(columns=["a", "b"], **head).markdown().splitlines()[1] == "| --- | ---: |"
    columns = ["a", Column("b", "text")]
    assert Table(columns=columns, **head).markdown().splitlines()[1] == "| --- | --- |"


def test_no_cell_of_csv_runs_and_lines_of_a_cell_stay_apart() -> None:
    made = Table("c", ["a", "b"], [["=1+1", "x\ny"], ["-a", numeric(-1.5)]])
    assert made.csv() == "a,b\n'=1+1,x; y\n'-a,-1.5\n"
    assert "<td>x<br>y</td>" in made.html()


def test_lines_of_a_cell_lead_to_anchors_in_html_alone() -> None:
    cell = Cell("In part\nA & B: x", links=[("A & B: x", "h-a")])
    table = Table("Links", ["Item", "Answer"], [["1", cell]])
    assert 'In part<br><a href="#h-a">A &amp; B: x</a>' in table.html()
    assert "| 1 | In part; A &amp; B: x |" in table.markdown()
