# SPDX-License-Identifier: MIT
"""The figures as files show the findings that have figures, and nothing of the others."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from trainer.predictions.table import Predictions
from trainer.report import report as reporting
from trainer.report.plot_files import plot_files
from trainer.report.source import Source


@pytest.fixture(scope="module")
def files_of() -> Callable[[Predictions], tuple[dict[str, Any], dict[str, bytes]]]:
    def made(predictions: Predictions) -> tuple[dict[str, Any], dict[str, bytes]]:
        report = reporting.build(Source(predictions, resamples=20))
        return report, plot_files(report)

    return made


def words(svg: bytes) -> list[str]:
    return [str(text.text) for text in ElementTree.fromstring(svg).findall(".//{*}text")]


def test_every_figure_is_there_in_both_forms(
    make: Callable[..., Predictions], files_of: Callable[..., Any]
) -> None:
    report, files = files_of(make())
    figures = {name.partition(".")[0] for name in files}
    expected = {
        f"{kind}_{split}"
        for kind in ("roc", "precision_recall", "reliability")
        for split in ("validation", "test")
    }
    assert figures == expected | {"forest", "decision_test"}
    assert set(files) == {f"{name}.{form}" for name in figures for form in ("svg", "png")}
    for name, content in files.items():
        if name.endswith(".png"):
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
            # As wide as the legend, whose names are shortest beside decision curves.
            assert pixels.shape[1] >= (1350 if name.startswith("decision") else 1400)
            assert (pixels[0, 0] == 255).all()
            assert 0.001 < (pixels.min(axis=2) < 128).mean() < 0.2
    area = report["splits"]["test"]["findings"]["Mass"]["auc"]
    said = f"AUC {area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]"
    assert said in words(files["roc_test.svg"])


def test_forest_is_ordered_and_leaves_out_what_is_not_defined(
    make: Callable[..., Predictions], files_of: Callable[..., Any]
) -> None:
    report, files = files_of(make())
    findings = report["splits"]["test"]["findings"]
    names = [word for word in words(files["forest.svg"]) if word in (*findings, "Mean")]
    defined = [name for name in findings if findings[name]["auc"]["value"] is not None]
    ranked = sorted(defined, key=lambda name: -findings[name]["auc"]["value"])
    assert names == [*ranked, "Mean"] and "Hernia" not in names


def test_nothing_defined_means_no_file(files_of: Callable[..., Any]) -> None:
    predictions = Predictions(
        ids=np.array(["a", "b"]),
        patients=np.array(["1", "2"]),
        splits=np.array(["test", "test"]),
        labels=np.zeros((2, 1), np.float32),
        scores=np.array([[0.1], [0.2]]),
        findings=("Mass",),
    )
    _, files = files_of(predictions)
    assert set(files) <= {"reliability_test.svg", "reliability_test.png"}


def test_names_are_text_and_colours_come_again_dashed(files_of: Callable[..., Any]) -> None:
    names = ("$a$b", "</text><script>", "\N{CJK UNIFIED IDEOGRAPH-80BA}", *"defgh")
    labels = np.tile(np.array([[0], [1]], np.float32), (3, len(names)))
    _, files = files_of(
        Predictions(
            ids=np.array(list("abcdef")),
            patients=np.array(list("123456")),
            splits=np.array(["test"] * 6),
            labels=labels,
            scores=np.linspace(0.1, 0.9, labels.size, dtype=np.float32).reshape(labels.shape),
            findings=names,
        )
    )
    for figure in ("roc_test", "forest"):
        text = files[f"{figure}.svg"].decode()
        assert set(names) <= set(words(text.encode())) and "<script" not in text
        assert "var(" not in text and "class=" not in text
        assert ElementTree.fromstring(text).findtext("{*}title")
    svg = files["roc_test.svg"].decode()
    styles = re.findall(r"stroke-dasharray: [^;]*; [^\"]*stroke: (#[0-9a-f]{6})", svg)
    # The eighth finding, the diagonal above it, and that finding in the legend.
    assert len(styles) == 3 and styles[0] == styles[2] == "#0072b2"
    png = cv2.imdecode(np.frombuffer(files["roc_test.png"], np.uint8), cv2.IMREAD_COLOR)
    for blue, green, red in ((178, 114, 0), (0, 94, 213), (0, 0, 0)):
        assert (png == (blue, green, red)).all(axis=2).any()


def test_equal_reports_have_equal_files(make: Callable[..., Predictions]) -> None:
    report = reporting.build(Source(make(("test",)), resamples=2))
    assert plot_files(report) == plot_files(report)
