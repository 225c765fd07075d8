# SPDX-License-Identifier: MIT
"""The two files that evaluation writes next to the predictions, for the report; no TensorFlow.

`localisation.npz` holds a heat map for every box on a test image, `gallery.npz` pictures of the
best and the worst cases of each finding. Heat maps are scaled to a maximum of 1, and a map of zeros
had no heat. Boxes are x, y, width and height as shares of the stored picture's side.
"""

import dataclasses
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


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Maps:
    """One row a heat map.

    Attributes:
        ids: of the images, str [k].
        findings: that the maps are of, str [k].
        scores: of the finding in the image, as in the predictions, float32 [k].
        maps: of the finding in the image, float32 [k, cells, cells], 0 to 1.
        placement: where the cells lie.
    """

    ids: npt.NDArray[np.str_]
    findings: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    maps: npt.NDArray[np.float32]
    placement: Placement


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class BoxedMaps(_Maps):
    """The heat maps of all boxes on test images, one row a box.

    Attributes:
        boxes: x, y, width, height, float64 [k, 4].
    """

    boxes: npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Gallery(_Maps):
    """The chosen cases of each finding, one row a case.

    Attributes:
        kinds: false_alarm, miss or hit, str [k].
        labels: of all findings in the image, float32 [k, L]; NaN for unknown.
        label_names: the L findings.
        thumbnails: JPEG files, grey, of the whole stored picture.
        boxes: of that finding in that image, each float64 [b, 4], often none.
    """

    kinds: npt.NDArray[np.str_]
    labels: npt.NDArray[np.float32]
    label_names: tuple[str, ...]
    thumbnails: tuple[bytes, ...]
    boxes: tuple[npt.NDArray[np.float64], ...]


def write_boxed(path: str, boxed: BoxedMaps) -> None:
    """Writes localisation.npz; the same rows give the same bytes."""
    _write(path, boxed, {"box": boxed.boxes.reshape(-1, 4)})


def read_boxed(path: str) -> BoxedMaps:
    """Reads localisation.npz.

    Raises:
        DataError: the file is damaged, of another version or breaks a rule of the format.
        FileNotFoundError: there is none.
    """
    arrays, shared = _read(path)
    return BoxedMaps(**shared, boxes=_boxes(path, arrays, len(shared["ids"])))


def write_gallery(path: str, gallery: Gallery) -> None:
    """Writes gallery.npz; the same cases give the same bytes."""
    own = {
        "kind": gallery.kinds.astype(np.str_),
        "label": gallery.labels.reshape(-1, len(gallery.label_names)),
        "label_name": np.asarray(gallery.label_names, np.str_),
        "box": np.concatenate([np.zeros((0, 4)), *gallery.boxes]),
        "boxes_of_row": np.asarray([len(boxes) for boxes in gallery.boxes], np.int64),
        "jpeg": np.frombuffer(b"".join(gallery.thumbnails), np.uint8),
        "jpeg_bytes": np.asarray([len(data) for data in gallery.thumbnails], np.int64),
    }
    _write(path, gallery, own)


def read_gallery(path: str) -> Gallery:
    """Reads gallery.npz.

    Raises:
        DataError: the file is damaged, of another version or breaks a rule of the format.
        FileNotFoundError: there is none.
    """
    arrays, shared = _read(path)
    rows = len(shared["ids"])
    names = tuple(text(path, arrays, "label_name").tolist())
    of_row = counts(path, arrays, "boxes_of_row", rows)
    sizes = counts(path, arrays, "jpeg_bytes", rows)
    jpeg = numbers(path, arrays, "jpeg", (int(sizes.sum()),)).astype(np.uint8).tobytes()
    ends = np.cumsum(sizes).tolist()
    jpegs = [jpeg[end - size : end] for end, size in zip(ends, sizes.tolist(), strict=True)]
    if not all(data.startswith(_JPEG) for data in jpegs):
        raise DataError(f"{path}: a picture is not a JPEG file; {AGAIN}")
    kinds = text(path, arrays, "kind", rows)
    if not np.isin(kinds, KINDS).all():
        raise DataError(f"{path}: a kind of case is not one of {', '.join(KINDS)}; {AGAIN}")
    boxes = _boxes(path, arrays, int(of_row.sum()))
    return Gallery(
        **shared,
        kinds=kinds,
        labels=numbers(path, arrays, "label", (rows, len(names)), unknown=True).astype(np.float32),
        label_names=names,
        thumbnails=tuple(jpegs),
        boxes=tuple(np.split(boxes, np.cumsum(of_row)[:-1])[:rows]),
    )


def _write(path: str, found: _Maps, own: Arrays) -> None:
    shared = {
        "version": np.asarray(_VERSION, np.int64),
        "placement": np.asarray(dataclasses.astuple(found.placement), np.float64),
        "id": found.ids.astype(np.str_),
        "finding": found.findings.astype(np.str_),
        "score": found.scores,
        "map": found.maps.astype(np.float16),
    }
    array_file.write(path, shared | own)


def _read(path: str) -> tuple[Arrays, dict[str, Any]]:
    """All arrays of a file, and the attributes of `_Maps`."""
    arrays = array_file.read(path)
    version = numbers(path, arrays, "version", None).reshape(-1)
    if version.tolist() != [_VERSION]:
        raise DataError(
            f"{path} has version {version.tolist()}, this program reads {_VERSION}; {AGAIN}"
        )
    first, step, left, side = numbers(path, arrays, "placement", (4,)).tolist()
    if not (step > 0 and side > 0):
        raise DataError(f"{path}: the cells of its heat maps have no size; {AGAIN}")
    rows = len(text(path, arrays, "id"))
    return arrays, {
        "ids": text(path, arrays, "id"),
        "findings": text(path, arrays, "finding", rows),
        "scores": numbers(path, arrays, "score", (rows,)).astype(np.float32),
        "maps": _maps(path, arrays, rows),
        "placement": Placement(first, step, left, side),
    }


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
