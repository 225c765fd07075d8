# SPDX-License-Identifier: MIT
"""report.html stands alone, shows the report's numbers, and lets no text become markup."""

import itertools
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from preprocessing.contract.wording import sentence
from trainer.predictions.table import Predictions
from trainer.report import html
from trainer.report.answers import answers
from trainer.report.contents import QUESTIONS, SECTIONS, missing, present
from trainer.report.report import build
from trainer.report.source import Source

HOSTILE = '</script><img src=x onerror="alert(1)">'


class Page(HTMLParser):
    """Collects elements, and checks that they nest."""

    VOID = {"meta", "br", "input", "img"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self._open:
            self.text[tag] = self.text.get(tag, "") + data

    def of(self, tag: str, name: str | None = None) -> list[dict[str, str | None]]:
        found = [attributes for element, attributes in self.elements if element == tag]
        return [each for each in found if name is None or name in (each.get("class") or "").split()]


def make(
    findings: tuple[str, ...] = ("Mass", "Pleural_Thickening", "Hernia"),
    splits: tuple[str, ...] = ("validation", "test"),
    context: dict[str, object] | None = None,
) -> dict[str, object]:
    generator = np.random.default_rng(2)
    count = 60 * len(splits)
    labels = generator.integers(0, 2, (count, len(findings))).astype(np.float32)
    labels[-60:, -1] = 0
    predictions = Predictions(
        ids=np.arange(count).astype(np.str_),
        patients=(np.arange(count) // 2).astype(np.str_),
        splits=np.repeat(splits, 60),
        labels=labels,
        scores=np.clip(generator.normal(0.3 + 0.2 * labels, 0.1), 0, 1),
        findings=findings,
        ignored_columns=(HOSTILE,),
    )
    return build(Source(predictions, 10, 0, context or {}))


def test_page_fetches_nothing() -> None:
    text = html.render(make())
    page = Page(text)
    for _, attributes in page.elements:
        for name, value in attributes.items():
            assert name not in {"srcset", "action", "poster", "data"}
            assert name not in {"src", "xlink:href"} or str(value).startswith("data:image/")
            assert not name.startswith("on")
            if name == "href":
                assert str(value).startswith(("#", "data:image/"))
    assert not {tag for tag, _ in page.elements} & {"link", "iframe", "object", "embed", "base"}
    for part in ("url(", "@import", "fetch(", "XMLHttpRequest", "http:", "https:"):
        assert part not in text
    policy = [each for each in page.of("meta") if each.get("http-equiv")]
    assert "default-src 'none'" in str(policy[0]["content"])


def test_names_and_context_never_become_markup() -> None:
    plain, hostile = (
        Page(html.render(make((name, "Mass", "Edema"), context={"training": {key: key}})))
        for name, key in (("Cyst", "fact"), (HOSTILE, HOSTILE))
    )
    assert [tag for tag, _ in plain.elements] == [tag for tag, _ in hostile.elements]
    assert not hostile.of("img") and HOSTILE in hostile.text["table"]


def test_points_for_the_script_are_the_points_of_the_report() -> None:
    report = make((HOSTILE, "Mass", "Hernia"))
    text = html.render(report)
    found = re.findall(r'<script type="application/json">(.*?)</script>', text, re.S)
    assert len(found) >= 4 and not any("<" in each for each in found)
    charts = [json.loads(each) for each in found]
    roc = next(chart for chart in charts if chart["y"]["title"] == "sensitivity")
    # Hernia has no positive in test, and so no curve.
    assert [line["name"] for line in roc["lines"]] == [HOSTILE, "Mass"]
    points = report["splits"]["test"]["findings"]["Mass"]["roc"]  # type: ignore[index]
    assert roc["lines"][1]["x"] == points["false_positive_rates"]
    assert roc["lines"][1]["y"] == points["true_positive_rates"]
    assert roc["lines"][1]["more"]["Score at least"][1:] == points["thresholds"][1:]


def test_table_holds_every_number_and_undefined_findings_in_words() -> None:
    report = make()
    page = Page(html.render(report))
    words = page.text["table"]
    test = report["splits"]["test"]  # type: ignore[index]
    for name, finding in test["findings"].items():
        area = finding["auc"]
        assert name.replace("_", " ") in words
        if area["value"] is None:
            assert name == "Hernia" and "not defined" in words
        else:
            assert f"{area['value']:.3f}" in words
            assert f"[{area['low']:.3f}, {area['high']:.3f}]" in words
    assert f"{test['mean_auc']['value']:.3f}" in page.text["main"]


def test_page_is_made_for_screen_readers() -> None:
    page = Page(html.render(make()))
    assert page.of("html")[0]["lang"] == "en"
    assert len(page.of("h1")) == 1 and len(page.of("caption")) == len(page.of("table"))
    for cell in page.of("th"):
        assert cell.get("scope") in {"row", "col", "rowgroup", "colgroup"}
    for drawing in page.of("svg"):
        assert drawing.get("aria-hidden") == "true" or (
            drawing["role"] == "img" and drawing["aria-label"]
        )
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all(chip["aria-pressed"] == "true" for chip in page.of("button", "chip"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        if "aria-labelledby" in attributes:
            assert set(str(attributes["aria-labelledby"]).split()) <= set(ids)


def test_every_finding_with_a_curve_has_a_line_in_the_charts_of_its_split() -> None:
    text = html.render(make())
    parts = re.findall(r'<svg class="lines (validation|test)".*?</svg>', text, re.S)
    assert parts.count("test") == parts.count("validation") == 2
    for split, lines in (("test", 2), ("validation", 3)):
        roc = re.search(rf'<svg class="lines {split}" .*?</svg>', text, re.S)
        assert roc is not None and roc[0].count('<path class="curve"') == lines
    page = Page(text)
    small = [each for each in page.of("svg", "small") if "ROC" in str(each["aria-label"])]
    assert len(small) == 3


def test_contents_lead_to_every_section_that_is_there() -> None:
    report = make()
    page = Page(html.render(report))
    links = [str(each["href"]) for each in page.of("a")]
    assert {f"#q-{name}" for name in QUESTIONS} <= set(links)
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {link[1:] for link in links} <= ids
    for name in SECTIONS:
        assert (f"#h-{name}" in links) == (name in present(report))
    for name in missing(report):
        assert sentence(report[name]["reason"]) in page.text["td"]  # type: ignore[index]


@pytest.mark.parametrize("splits", [("test",), ("validation",), ("train",), ("train", "test")])
def test_page_is_complete_without_some_splits(splits: tuple[str, ...]) -> None:
    page = Page(html.render(make(splits=splits)))
    assert f"Mean AUC, {splits[-1]}" in page.text["main"]
    assert "Validation against test" not in page.text["main"]
    assert "Not known to this report" in page.text["main"]


def test_page_without_any_auc_says_so() -> None:
    report = make(("Hernia",), splits=("test",))
    words = Page(html.render(report)).text["main"]
    assert "not defined" in words and "0 of 1" in words


def test_provenance_shows_the_context() -> None:
    context = {
        "training": {"config": {"learning_rate": 0.0005}},
        "manifest": {"images": 12},
        "x": {"y": 3},
    }
    page = Page(html.render(make(context=context)))
    for words in ("config.learning_rate", "0.0005", "images", "x.y"):
        assert words in page.text["details"]
    assert {"Data set", "Training run", "Further facts"} <= set(
        page.text["summary"].splitlines()
    ) | {
        title
        for title in ("Data set", "Training run", "Further facts")
        if title in page.text["summary"]
    }


def test_the_page_of_a_phantom_calls_it_one() -> None:
    text = html.render(make(context={"manifest": {"phantom": "drawn by a program"}}))
    assert "The images and labels are a phantom&#39;s, drawn by a program" in text
    assert "mined from radiology reports" not in text


def test_only_the_findings_are_unfolded_at_first() -> None:
    sections = Page(html.render(make())).of("details", "part")
    assert len(sections) > 10
    assert ["open" in each for each in sections] == [True, *[False] * (len(sections) - 1)]


def test_one_page_sums_up_and_says_what_it_is_of() -> None:
    context = {"manifest": {"identity": "d" * 64}, "training": {"identity": "m" * 64}}
    report = make(context=context)
    report["predictions"] |= {"file": "predictions.csv", "sha256": "p" * 64}  # type: ignore[operator]
    words = Page(html.render(report, "r" * 64)).text["aside"]
    for part in ("predictions.csv, SHA-256 " + "p" * 64, "d" * 64, "m" * 64, "r" * 64):
        assert part in words
    for answer in answers(report).values():
        assert answer in words
    mean = report["splits"]["test"]["mean_auc"]  # type: ignore[index]
    assert f"{mean['value']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]" in words
    assert "Pleural Thickening" in words and "Not a medical device" in words
    lone = make(context={"training": "lost"})
    alone = Page(html.render(lone)).text["aside"].rpartition("Predictions")[2]
    assert alone.count("not known") == 4
    lone["split_identity"]["certainty"] = "proven"  # type: ignore[index]
    alone = Page(html.render(lone)).text["aside"].rpartition("Predictions")[2]
    assert "official test list of ChestX-ray14" in alone and alone.count("not known") == 3
