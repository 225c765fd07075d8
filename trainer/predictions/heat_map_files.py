# SPDX-License-Identifier: MIT
"""The two files that evaluation leaves beside the predictions for the report; no TensorFlow.

`localisation.npz` holds a heat map for every box on a test image, `gallery.npz` pictures of the
best and the worst cases of each finding. Heat maps are scaled to a maximum of 1, and a map of zeros
had no heat. Boxes are x, y, width and height as shares of the stored picture's side.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError
from trainer.predictions import array_file
from trainer.predictions.array_file import AGAIN, Arrays, counts, numbers, text
from trainer.predictions.placement import Placement

LOCALISATION = "localisation.npz"
GALLERY = "gallery.npz"
KINDS = ("false_alarm", "miss", "hit")

_VERSION = 1
_JPEG = b"\xff\xd8"


@dataclasses.dataclass(frozen=True, eq=False)
class BoxedMaps:
    """The heat maps of all boxes on test images, one row a box.

    Attributes:
        ids: of the images, str [k].
        findings: of the boxes, str [k].
        scores: of the finding in the image, as in the predictions, float32 [k].
        boxes: x, y, width, height, float64 [k, 4].
        maps: of the finding in the image, float32 [k, cells, cells], 0 to 1.
        placement: where the cells lie.
    """

    ids: npt.NDArray[np.str_]
    findings: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float64]
    maps: npt.NDArray[np.float32]
    placement: Placement


@dataclasses.dataclass(frozen=True, eq=False)
class Gallery:
    """The chosen cases of each finding, one row a case.

    Attributes:
        ids: of the images, str [m].
        findings: that the case is about, str [m].
        kinds: false_alarm, miss or hit, str [m].
        scores: of the finding in the image, float32 [m].
        labels: of all findings in the image, float32 [m, L]; NaN for unknown.
        label_names: the L findings.
        thumbnails: JPEG files, grey, of the whole stored picture.
        maps: float32 [m, cells, cells], 0 to 1.
        boxes: of that finding in that image, each float64 [b, 4], often none.
        placement: where the cells lie.
    """

    ids: npt.NDArray[np.str_]
    findings: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    label_names: tuple[str, ...]
    thumbnails: tuple[bytes, ...]
    maps: npt.NDArray[np.float32]
    boxes: tuple[npt.NDArray[np.float64], ...]
    placement: Placement


def write_boxed(path: str, boxed: BoxedMaps) -> None:
    """Writes localisation.npz; the same rows give the same bytes."""
    arrays = {
        "id": boxed.ids.astype(np.str_),
        "finding": boxed.findings.astype(np.str_),
        "score": boxed.scores,
        "box": boxed.boxes.reshape(-1, 4),
        "map": boxed.maps.astype(np.float16),
    }
    array_file.write(path, _with_placement(arrays, boxed.placement))


def read_boxed(path: str) -> BoxedMaps:
    """Reads localisation.npz.

    Raises:
        DataError: the file is damaged, of another version or breaks a rule of the format.
        FileNotFoundError: there is none.
    """
    arrays, placement = _read(path)
    rows = len(text(path, arrays, "id"))
    boxed = BoxedMaps(
        ids=text(path, arrays, "id"),
        findings=text(path, arrays, "finding", rows),
        scores=numbers(path, arrays, "score", (rows,)).astype(np.float32),
        boxes=_boxes(path, arrays, rows),
        maps=_maps(path, arrays, rows),
        placement=placement,
    )
    return boxed


def write_gallery(path: str, gallery: Gallery) -> None:
    """Writes gallery.npz; the same cases give the same bytes."""
    arrays = {
        "id": gallery.ids.astype(np.str_),
        "finding": gallery.findings.astype(np.str_),
        "kind": gallery.kinds.astype(np.str_),
        "score": gallery.scores,
        "label": gallery.labels.reshape(-1, len(gallery.label_names)),
        "label_name": np.asarray(gallery.label_names, np.str_),
        "map": gallery.maps.astype(np.float16),
        "box": np.concatenate([np.zeros((0, 4)), *gallery.boxes]),
        "boxes_of_row": np.asarray([len(boxes) for boxes in gallery.boxes], np.int64),
        "jpeg": np.frombuffer(b"".join(gallery.thumbnails), np.uint8),
        "jpeg_bytes": np.asarray([len(data) for data in gallery.thumbnails], np.int64),
    }
    array_file.write(path, _with_placement(arrays, gallery.placement))


def read_gallery(path: str) -> Gallery:
    """Reads gallery.npz.

    Raises:
        DataError: the file is damaged, of another version or breaks a rule of the format.
        FileNotFoundError: there is none.
    """
    arrays, placement = _read(path)
    rows = len(text(path, arrays, "id"))
    names = tuple(text(path, arrays, "label_name").tolist())
    of_row = counts(path, arrays, "boxes_of_row", rows)
    sizes = counts(path, arrays, "jpeg_bytes", rows)
    jpeg = numbers(path, arrays, "jpeg", (int(sizes.sum()),)).astype(np.uint8).tobytes()
    ends = np.cumsum(sizes).tolist()
    jpegs = [jpeg[end - size : end] for end, size in zip(ends, sizes.tolist(), strict=True)]
    if not all(data.startswith(_JPEG) for data in jpegs):
        raise DataError(f"{path}: a picture is no JPEG file; {AGAIN}")
    kinds = text(path, arrays, "kind", rows)
    if not np.isin(kinds, KINDS).all():
        raise DataError(f"{path}: a kind of case is none of {', '.join(KINDS)}; {AGAIN}")
    return Gallery(
        ids=text(path, arrays, "id"),
        findings=text(path, arrays, "finding", rows),
        kinds=kinds,
        scores=numbers(path, arrays, "score", (rows,)).astype(np.float32),
        labels=numbers(path, arrays, "label", (rows, len(names)), unknown=True).astype(np.float32),
        label_names=names,
        thumbnails=tuple(jpegs),
        maps=_maps(path, arrays, rows),
        boxes=tuple(
            np.split(_boxes(path, arrays, int(of_row.sum())), np.cumsum(of_row)[:-1])[:rows]
        ),
        placement=placement,
    )


def _with_placement(arrays: Mapping[str, npt.NDArray[Any]], placement: Placement) -> Arrays:
    extra = {
        "version": np.asarray(_VERSION, np.int64),
        "placement": np.asarray(dataclasses.astuple(placement), np.float64),
    }
    return {**extra, **arrays}


def _read(path: str) -> tuple[Arrays, Placement]:
    arrays = array_file.read(path)
    version = numbers(path, arrays, "version", None).reshape(-1)
    if version.tolist() != [_VERSION]:
        raise DataError(
            f"{path} has version {version.tolist()}, this program reads {_VERSION}; {AGAIN}"
        )
    first, step, left, side = numbers(path, arrays, "placement", (4,)).tolist()
    if not (step > 0 and side > 0):
        raise DataError(f"{path}: the cells of its heat maps have no size; {AGAIN}")
    return arrays, Placement(first, step, left, side)


def _maps(path: str, arrays: Arrays, rows: int) -> npt.NDArray[np.float32]:
    cells = array_file.array(path, arrays, "map").shape[-1:]
    maps = numbers(path, arrays, "map", (rows, *cells, *cells)).astype(np.float32)
    if maps.size and not (maps.min() >= 0 and maps.max() <= 1):
        raise DataError(f"{path}: a heat map has values outside 0 to 1; {AGAIN}")
    return maps


def _boxes(path: str, arrays: Arrays, rows: int) -> npt.NDArray[np.float64]:
    boxes = numbers(path, arrays, "box", (rows, 4)).astype(np.float64)
    if not (boxes[:, 2:] > 0).all():
        raise DataError(f"{path}: a box has no width or no height; {AGAIN}")
    return boxes
