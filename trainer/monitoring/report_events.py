# SPDX-License-Identifier: MIT
"""Puts a finished report into the run's TensorBoard log; imports no TensorFlow.

HParams shows the figures beside the run's settings, because they are scalars of the same run. All
of it is one event file whose name holds the hash of the report: the same report is written once,
and another one takes its place.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage, tfrecord
from trainer.monitoring import event_log
from trainer.monitoring.event_log import value

_MARK = ".report-"


def log(output: str, environ: Mapping[str, str]) -> str:
    """Writes the report of a run into its TensorBoard log, unless it is there already.

    Args:
        output: folder of the run, with `report/report.json`, `report/report.md` and plots.
        environ: the process's environment, which may name another folder for the log.

    Returns:
        The path of the event file.

    Raises:
        DataError: there is no report, or one of its plots is damaged.
    """
    content, text = (_read(output, name) for name in ("report.json", "report.md"))
    folder = event_log.folder_of(output, environ)
    mark = f"{_MARK}{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    older = [path for path in _files(folder) if _MARK in storage.basename(path)]
    for path in older:
        if path.endswith(mark):
            return path
    now = time.time()
    # The time in its name makes TensorBoard read it after the files of the training before it.
    names = [storage.basename(path) for path in _files(folder)]
    path = storage.join(folder, event_log.next_name(names, now, mark))
    report = json.loads(content)
    step = _step(report)
    events = [Event(wall_time=now, file_version="brain.Event:2")]
    events += [
        Event(wall_time=now, step=step, summary=Summary(value=[value]))
        for value in (*_scalars(report), *_texts(text), *_images(output))
    ]
    storage.make_folder(folder)
    storage.write_bytes(path, b"".join(_framed(events)))
    for obsolete in older:
        storage.delete(obsolete)
    return path


def metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Returns the figures that HParams shows as columns: tag -> value, undefined ones left out.

    All are of the test split but `report/validation_mean_auc`; `validation/` is the training's own.
    """
    splits = report["splits"]
    found = {"report/validation_mean_auc": _part(splits, "validation", "mean_auc").get("value")}
    test = _part(splits, "test")
    for end in ("value", "low", "high") if test else ():
        tag = "test/mean_auc" if end == "value" else f"test/mean_auc_{end}"
        found[tag] = test["mean_auc"][end]
    for name in ("micro_auc", "mean_average_precision"):
        found[f"test/{name}"] = _part(test, name).get("value")
    calibrated = _part(report, "calibration", "mean", "test")
    found["test/ece"] = calibrated.get("ece")
    found["test/brier_skill"] = _part(calibrated, "brier_skill").get("value")
    gain = _part(report, "baselines", "difference", "mean_auc").get("value")
    found["test/mean_auc_minus_metadata"] = gain if test else None
    for name, finding in _part(test, "findings").items():
        found[f"test_auc/{name}"] = finding["auc"]["value"]
    return {
        tag: value for tag, value in found.items() if value is not None and math.isfinite(value)
    }


def _part(report: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A part of the report, empty where it does not hold it."""
    part: Any = report
    for name in names:
        part = part.get(name) if isinstance(part, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _step(report: Mapping[str, Any]) -> int:
    """The step at which the run ended, so that the figures are at the end of its curves."""
    steps = _part(report, "context", "training").get("steps")
    return steps if isinstance(steps, int) else 0


def _scalars(report: Mapping[str, Any]) -> Iterator[Summary.Value]:
    about = scalar_metadata.create_summary_metadata("", "From the report of the finished run.")
    for tag, number in metrics(report).items():
        yield value(tag, about, np.float32(number))


def _texts(text: str) -> Iterator[Summary.Value]:
    """Every question and every section of report.md as a text of its own, in order."""
    about = text_metadata.create_summary_metadata("", "")
    parts = re.split(r"^(?=###? )", text, flags=re.MULTILINE)
    for number, part in enumerate(part for part in parts if part.strip()):
        title = part.strip().partition("\n")[0].lstrip("# ")
        # TensorBoard takes a slash for the end of a group of tags.
        tag = re.sub(r"[^\w.-]+", "_", title).strip("_") or "part"
        yield value(f"report/{number:02d}_{tag}", about, part.strip().encode())


def _images(output: str) -> Iterator[Summary.Value]:
    """The report's own plots, which lie beside it as PNG."""
    about = image_metadata.create_summary_metadata("", "", converted_to_tensor=True)
    for path in _files(storage.join(output, "report", "plots")):
        name, _, kind = storage.basename(path).rpartition(".")
        if kind == "png":
            encoded = storage.read_bytes(path)
            picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
            if picture is None:
                raise DataError(f"{path} is damaged: make the report again, with --mode=report")
            height, width = (str(side).encode() for side in picture.shape[:2])
            yield value(f"report/{name}", about, [width, height, encoded])


def _framed(events: list[Event]) -> Iterator[bytes]:
    for event in events:
        yield from tfrecord.framed(event.SerializeToString())


def _files(folder: str) -> list[str]:
    return storage.list_files(folder) if storage.exists(folder) else []


def _read(output: str, name: str) -> str:
    path = storage.join(output, "report", name)
    try:
        return storage.read_text(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: make the report first, with --mode=report") from error
