# SPDX-License-Identifier: MIT
"""Leaves heat maps and pictures of test images beside the predictions, for the report."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract import schema
from preprocessing.contract.files import storage
from preprocessing.contract.pictures import image_graph
from preprocessing.contract.process.progress import Progress
from trainer.checkpoints import checkpoints
from trainer.data.order import reading
from trainer.explanation import cases
from trainer.explanation.cases import Choice
from trainer.explanation.gradcam import GradCam, placement
from trainer.network.model import Model
from trainer.predictions import heat_map_files
from trainer.predictions.heat_map_files import BoxedMaps, Gallery
from trainer.predictions.placement import Placement, normalised
from trainer.predictions.table import Predictions
from trainer.run import Run
from trainer.runfolder import notes

_SPLIT = "test"
_THUMBNAIL_PX = 128
_JPEG_QUALITY = 75
_IMAGES_AT_A_TIME = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Image:
    """One test image that is wanted.

    Attributes:
        row: its place in the split.
        pixels: the stored picture, uint8 [stored, stored].
        box_findings: for each box the number of its finding, int [b].
        boxes: x, y, width, height as shares of the stored side, float64 [b, 4].
    """

    row: int
    pixels: npt.NDArray[np.uint8]
    box_findings: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]

    def boxes_of(self, finding: int) -> npt.NDArray[np.float64]:
        """Returns the boxes of one finding, float64 [b, 4]."""
        return np.asarray(self.boxes[self.box_findings == finding])


def write(run: Run, predictions: Predictions) -> None:
    """Writes localisation.npz and gallery.npz as the settings ask; removes what they do not.

    The best network is built again, by this process alone: the others of the run need not wait for
    it step by step. Keras's policy should be float32.

    Args:
        run: the run.
        predictions: what its best network said of the test split, in the order of the shards.
    """
    wanted = run.config.evaluation
    folder = storage.join(run.output, notes.PREDICTIONS).rpartition("/")[0]
    chosen = cases.choose(predictions, wanted.gallery) if wanted.gallery else []
    for name, asked in (
        (heat_map_files.LOCALISATION, wanted.localisation),
        (heat_map_files.GALLERY, bool(wanted.gallery)),
    ):
        path = storage.join(folder, name)
        if not asked and storage.exists(path):
            storage.delete(path)
    if not (wanted.localisation or wanted.gallery):
        return
    network = run.build(pretrained=False, distributed=False)
    checkpoints.restore_best(run.output, network.network)
    work = _Work(run, network, predictions, chosen)
    with Progress("heat maps", len(predictions.ids), unit="images") as progress:
        found = _images(run, work.rows, boxed=wanted.localisation)
        while images := list(itertools.islice(found, _IMAGES_AT_A_TIME)):
            work.add(images)
            progress.reach(images[-1].row + 1)
        progress.reach(len(predictions.ids))
    if wanted.localisation:
        path = storage.join(folder, heat_map_files.LOCALISATION)
        heat_map_files.write_boxed(path, work.boxed())
    if wanted.gallery:
        heat_map_files.write_gallery(storage.join(folder, heat_map_files.GALLERY), work.gallery())


class _Work:
    """Collects the rows of both files while the images pass by."""

    def __init__(
        self, run: Run, network: Model, predictions: Predictions, chosen: list[Choice]
    ) -> None:
        stored, data = run.manifest.stored_size, run.config.data
        self._gradcam = GradCam(network, stored_size=stored, data=data)
        self._placement: Placement = placement(stored, data)
        self._localises = run.config.evaluation.localisation
        self._predictions, self._chosen = predictions, chosen
        self._maps: dict[tuple[int, int], npt.NDArray[np.float32]] = {}
        self._boxed: list[tuple[int, int, npt.NDArray[np.float64]]] = []
        self._shown: dict[int, tuple[bytes, Image]] = {}
        self.rows = np.zeros(len(predictions.ids), bool)
        self.rows[[choice.row for choice in chosen]] = True

    def add(self, images: list[Image]) -> None:
        """Takes in some images: their maps, their boxes, their thumbnails."""
        wanted: dict[int, set[int]] = {image.row: set() for image in images}
        for choice in self._chosen:
            if choice.row in wanted:
                wanted[choice.row].add(choice.finding)
        for image in images:
            if self._localises:
                wanted[image.row] |= set(image.box_findings.tolist())
                pairs = zip(image.box_findings.tolist(), image.boxes, strict=True)
                self._boxed += [(image.row, finding, box) for finding, box in pairs]
            if self.rows[image.row]:
                blank = dataclasses.replace(image, pixels=np.zeros((0, 0), np.uint8))
                self._shown[image.row] = (_thumbnail(image.pixels), blank)
        pixels = {image.row: image.pixels for image in images}
        cases = [(row, finding) for row in wanted for finding in sorted(wanted[row])]
        if not cases:
            return
        maps = self._gradcam.maps(
            np.stack([pixels[row] for row, _ in cases]), np.array([case[1] for case in cases])
        )
        self._maps |= dict(zip(cases, normalised(maps), strict=True))

    def boxed(self) -> BoxedMaps:
        """Returns the rows of localisation.npz."""
        boxes = np.array([box for _, _, box in self._boxed]).reshape(-1, 4)
        return BoxedMaps(boxes=boxes, **self._of([(row, at) for row, at, _ in self._boxed]))

    def gallery(self) -> Gallery:
        """Returns the cases of gallery.npz."""
        pairs = [(choice.row, choice.finding) for choice in self._chosen]
        return Gallery(
            kinds=np.array([choice.kind for choice in self._chosen], np.str_),
            labels=self._predictions.labels[np.array([row for row, _ in pairs], np.int64)],
            label_names=self._predictions.findings,
            thumbnails=tuple(self._shown[row][0] for row, _ in pairs),
            boxes=tuple(self._shown[row][1].boxes_of(finding) for row, finding in pairs),
            **self._of(pairs),
        )

    def _of(self, pairs: list[tuple[int, int]]) -> dict[str, Any]:
        """Returns what both files say of pairs of an image and a finding, and their maps."""
        rows, findings = np.array(pairs, np.int64).reshape(-1, 2).T
        maps = [self._maps[pair] for pair in pairs]
        return {
            "ids": self._predictions.ids[rows],
            "findings": np.array(self._predictions.findings, np.str_)[findings],
            "scores": self._predictions.scores[rows, findings].astype(np.float32),
            "maps": np.stack(maps) if maps else np.zeros((0, 1, 1), np.float32),
            "placement": self._placement,
        }


def _images(run: Run, wanted: npt.NDArray[np.bool_], *, boxed: bool) -> Iterator[Image]:
    """Reads the wanted images of the test split, and with `boxed` those with boxes too."""
    manifest = run.manifest
    test = manifest.splits[_SPLIT]
    attributes = ("image", "box_findings", "boxes")

    def parsed(row: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
        found = schema.parse(record, findings=len(manifest.findings), attributes=attributes)
        return {"row": row, **found}

    def is_wanted(one: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.gather(wanted, one["row"]) | (boxed & (tf.size(one["box_findings"]) > 0))

    def decoded(one: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        pixels = image_graph.stored(one.pop("image"), manifest.stored_size, manifest.encoding)
        return {**one, "pixels": pixels}

    counts = [shard.examples for shard in test.shards]
    records = reading(test.paths(run.data), counts, 0, len(wanted))
    images = records.enumerate().map(parsed).filter(is_wanted).map(decoded).prefetch(2)
    for one in images.as_numpy_iterator():
        Progress.moved()  # many more are read than are wanted
        yield Image(
            row=int(one["row"]),
            pixels=one["pixels"],
            box_findings=one["box_findings"],
            boxes=one["boxes"].astype(np.float64).reshape(-1, 4),
        )


def _thumbnail(pixels: npt.NDArray[np.uint8]) -> bytes:
    small = cv2.resize(pixels, (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()
