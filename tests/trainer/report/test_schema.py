# SPDX-License-Identifier: MIT
"""report.json is what its schema says, and the schema says it of every key."""

import copy
import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest

from trainer.explanation import cases
from trainer.predictions import heat_map_files, metadata
from trainer.predictions.heat_map_files import BoxedMaps, Gallery
from trainer.predictions.metadata import Metadata
from trainer.predictions.placement import Placement
from trainer.predictions.table import Predictions, write
from trainer.report import contents
from trainer.report.asked import Asked
from trainer.report.inputs import Inputs
from trainer.report.report import build, from_files
from trainer.report.sections import published
from trainer.report.sections.published_tables import FINDINGS as PUBLISHED
from trainer.report.source import Source

Make = Callable[..., Predictions]
Problems = Callable[[Any], list[str]]

PLACE = Placement(first=0.25, step=0.25, left=0.125, side=0.75)
# Parts that hold whatever was handed in.
FREE = {"context", "facts"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    path = resources.files("trainer.report") / "templates" / "report.schema.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.fixture
def problems(schema: dict[str, Any]) -> Problems:
    validator = jsonschema.Draft202012Validator(schema)

    def find(report: Any) -> list[str]:
        report = json.loads(json.dumps(report, allow_nan=False))
        return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(report)]

    return find


@pytest.fixture
def everything(make: Make, tmp_path: pathlib.Path) -> dict[str, Any]:
    """The report.json of a model with all that can be handed in beside its predictions."""
    rows = dataclasses.replace(make(), findings=("Mass", "Nodule", "Pneumothorax"))
    test = rows.select("test")
    write(f"{tmp_path}/predictions.csv", rows)
    for name, power in {"other": 2, "third": 3}.items():
        write(f"{tmp_path}/{name}.csv", dataclasses.replace(rows, scores=rows.scores**power))
    metadata.write(f"{tmp_path}/{metadata.NAME}", made_metadata(rows))
    heat_map_files.write_boxed(f"{tmp_path}/{heat_map_files.LOCALISATION}", made_boxed(test))
    heat_map_files.write_gallery(f"{tmp_path}/{heat_map_files.GALLERY}", made_gallery(test))
    lines = ["Image Index,Finding Labels,Patient ID,Pneumothorax,Airspace opacity,Nodule or mass"]
    for at in range(0, len(test.ids), 2):
        seen = ("YES" if at % 3 else "NO", "NO", "YES" if test.labels[at, 0] else "NO")
        lines.append(f"{test.ids[at]},No Finding,{test.patients[at]},{','.join(seen)}")
    (tmp_path / "google.csv").write_text("\n".join(lines))
    compare = (f"{tmp_path}/other.csv", f"{tmp_path}/third.csv")
    radiologists = f"{tmp_path}/google.csv"
    inputs = Inputs(f"{tmp_path}/predictions.csv", compare=compare, radiologists=radiologists)
    context = {"training": {"steps": 7, "loss": float("nan")}, "config": {"seed": 3}, "more": 1}
    asked = Asked(margin=0.02)
    from_files(inputs, output=f"{tmp_path}/out", context=context, resamples=20, asked=asked)
    found: dict[str, Any] = json.loads((tmp_path / "out/report/report.json").read_text("utf-8"))
    return found


def made_metadata(rows: Predictions) -> Metadata:
    """Of the same images; one of them unknown in everything but its size."""
    generator = np.random.default_rng(4)
    n = len(rows.ids)
    facts = {
        "sex": np.array(["F", "M"])[generator.integers(0, 2, n)],
        "view": np.array(["AP", "PA"])[generator.integers(0, 2, n)],
        "age": generator.integers(5, 90, n),
        "follow_up": np.arange(n) % 3,
    }
    for name, unknown in {"sex": "", "view": "", "age": -1, "follow_up": -1}.items():
        facts[name][0] = unknown
    sizes = {"width": np.full(n, 2500), "height": np.tile([2048, 2500], n)[:n]}
    more = {"splits": np.full(n, ""), "labels": rows.labels, "findings": rows.findings}
    return Metadata(ids=rows.ids, patients=rows.patients, **facts, **sizes, **more)


def made_boxed(rows: Predictions) -> BoxedMaps:
    """A box on each of the first images; half of the maps hold no heat."""
    columns = np.arange(24) % 2
    maps = np.zeros((24, 3, 3), np.float32)
    maps[:12, 1, 1] = 1
    names, boxes = np.array(rows.findings)[columns], np.tile([0.3, 0.4, 0.2, 0.3], (24, 1))
    scores = rows.scores[np.arange(24), columns].astype(np.float32)
    return BoxedMaps(
        ids=rows.ids[:24],
        findings=names,
        scores=scores,
        boxes=boxes,
        maps=maps,
        placement=PLACE,
    )


def made_gallery(rows: Predictions) -> Gallery:
    chosen = cases.choose(rows, 1)
    places = np.array([choice.row for choice in chosen])
    columns = np.array([choice.finding for choice in chosen])
    picture = bytes(cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1])
    names, kinds = np.array(rows.findings)[columns], np.array([choice.kind for choice in chosen])
    scores, labels = rows.scores[places, columns].astype(np.float32), rows.labels[places]
    maps = np.ones((len(chosen), 3, 3), np.float32)
    boxes = (np.array([[0.3, 0.4, 0.2, 0.3]]), *(np.zeros((0, 4)) for _ in chosen[1:]))
    return Gallery(
        ids=rows.ids[places],
        findings=names,
        kinds=kinds,
        scores=scores,
        labels=labels,
        label_names=rows.findings,
        thumbnails=(picture,) * len(chosen),
        maps=maps,
        boxes=boxes,
        placement=PLACE,
    )


def test_a_report_with_all_files_fits(problems: Problems, everything: dict[str, Any]) -> None:
    # The names of these images cannot be those of the official list.
    assert contents.missing(everything) == ["external", "published"]
    assert len(everything["request"]["files"]) == 7
    assert problems(everything) == []


def test_the_report_of_a_run_fits(problems: Problems, finished_run: Any) -> None:
    report = json.loads(pathlib.Path(finished_run.output, "report/report.json").read_text("utf-8"))
    assert report["localisation"]["available"] and report["gallery"]["available"]
    assert problems(report) == []


@pytest.mark.parametrize("splits", [("validation", "test"), ("test",), ("validation",), ("train",)])
def test_reports_of_predictions_alone_fit(
    problems: Problems, make: Make, splits: tuple[str, ...]
) -> None:
    predictions = make(splits)
    report = build(Source(predictions, resamples=5))
    assert report["splits"][splits[-1]]["undefined_findings"] == ["Hernia"]
    assert problems(report) == []
    report = build(Source(predictions, resamples=5, compared={"b.csv": predictions}))
    assert report["comparison"]["available"]
    assert problems(report) == []


@pytest.mark.parametrize("label", [0.0, np.nan])
def test_reports_without_a_single_figure_fit(problems: Problems, make: Make, label: float) -> None:
    rows = make(rows=6)
    rows = dataclasses.replace(rows, labels=np.full_like(rows.labels, label))
    report = build(
        Source(rows, resamples=5, compared={"b.csv": rows}, metadata=made_metadata(rows))
    )
    assert report["splits"]["test"]["mean_auc"]["value"] is None
    assert problems(report) == []


def test_published_results_fit(problems: Problems, make: Make, nih: pathlib.Path) -> None:
    known = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    rows = np.isin(known.ids, (nih / "test_list.txt").read_text().split())
    labels = known.labels[rows][:, [known.findings.index(name) for name in PUBLISHED]]
    labels[0, 0] = np.nan
    scores = np.random.default_rng(0).random(labels.shape)
    about = (known.ids[rows], known.patients[rows], np.full(int(rows.sum()), "test"))
    official = Predictions(*about, labels, scores, tuple(PUBLISHED))
    section = published.build(Source(official, resamples=2))
    assert section["available"] and section["other_labels"]
    assert problems(build(Source(make(), resamples=2)) | {"published": section}) == []


def test_what_does_not_fit_is_told(problems: Problems, make: Make) -> None:
    report = build(Source(make(), resamples=5))
    changes: dict[str, Callable[[Any], object]] = {
        "a key less": lambda r: r.pop("splits"),
        "another version": lambda r: r.update(schema_version=3),
        "a finding without counts": lambda r: r["splits"]["test"]["findings"]["Mass"].pop("n"),
        "a section without words": lambda r: r["calibration"].pop("notes"),
        "no reason": lambda r: r["gallery"].pop("reason"),
        "figures and a reason": lambda r: r["operating_points"].update(reason="none"),
        "an unknown split": lambda r: r["splits"].update(dev=r["splits"]["test"]),
        "a rate above 1": lambda r: r["operating_points"]["at_half"].update(mean_sensitivity=1.5),
        "a measure less": lambda r: r["operating_points"]["mean"]["youden"]["test"].pop("ppv"),
        "no means": lambda r: r["calibration"]["recalibration"].pop("mean"),
    }
    for name, change in changes.items():
        changed = copy.deepcopy(report)
        change(changed)
        assert problems(changed), name


def test_no_object_takes_another_key_and_no_figure_another_type(
    schema: dict[str, Any], everything: dict[str, Any]
) -> None:
    tried = 0
    for name, part in everything.items():
        if name in FREE:
            continue
        rules = {"$defs": schema["$defs"], **schema["properties"][name]}
        validator = jsonschema.Draft202012Validator(rules)
        assert validator.is_valid(part), name
        for place, node in _unlike_objects(part):
            node["another"] = "text"
            assert not validator.is_valid(part), f"another key at {name}{place}"
            del node["another"]
            for key in [key for key, value in node.items() if isinstance(value, int | float)]:
                kept, node[key] = node[key], {}
                assert not validator.is_valid(part), f"another type at {name}{place}.{key}"
                node[key] = kept
                tried += 1
    assert tried > 150


def _unlike_objects(part: Any) -> list[tuple[str, dict[str, Any]]]:
    """One object for each set of keys, with its place."""
    found: dict[tuple[str, ...], tuple[str, dict[str, Any]]] = {}

    def look(node: Any, place: str) -> None:
        if isinstance(node, dict):
            found.setdefault(tuple(node), (place, node))
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            if isinstance(value, dict | list) and key not in FREE:
                look(value, f"{place}.{key}")

    if isinstance(part, dict | list):
        look(part, "")
    return list(found.values())


def test_every_section_and_every_key_is_described(schema: dict[str, Any]) -> None:
    assert set(contents.SECTIONS) <= set(schema["properties"])
    described = [pair for node in _objects(schema) for pair in node["properties"].items()]
    assert len(described) > 300
    assert [name for name, each in described if len(each.get("description", "")) < 5] == []


def test_no_object_that_names_keys_is_open_but_the_context(schema: dict[str, Any]) -> None:
    opened = [node for node in _objects(schema) if node.get("additionalProperties") is not False]
    assert [list(node["properties"]) for node in opened] == [
        ["manifest", "training", "config", "series", "external_test"]
    ]


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every part of the schema that names properties, but for conditions."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield node
        for key, each in node.items():
            if key != "if":
                yield from _objects(each)
    elif isinstance(node, list):
        for item in node:
            yield from _objects(item)
