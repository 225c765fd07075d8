# SPDX-License-Identifier: MIT
"""Films that prediction scores in a second, against the model alone and against a plain script."""

import pathlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from PIL import Image

from benchmarks import material
from benchmarks.ratio import Ratio
from benchmarks.rounds import rounds
from preprocessing.contract import manifest as manifests
from preprocessing.contract.files import storage
from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.inference import films, flags, given, prediction
from trainer.network import model as networks
from trainer.runfolder import notes
from trainer.serving import export
from trainer.serving.served import ServedModel
from trainer.serving.signatures import Serving

_PX, _BATCH, _ROUNDS = 224, 16, 3
# The plain script takes films one by one as well, which is slow.
_FILMS, _SINGLE = 64, 16


def measure(folder: str) -> list[Ratio]:
    """Scores 1024 px PNG files of the phantom by ResNet-50 with random weights, in turn.

    Args:
        folder: where the phantom lies; its shards and the model are made beside it.
    """
    network, exported = _model(folder)
    served = ServedModel(exported)
    tree = pathlib.Path(material.tree(folder))
    paths = sorted(map(str, tree.rglob("*.png")))[:_FILMS]
    size = served.facts.stored_size
    squares = [films.read(pathlib.Path(one).read_bytes(), one, stored_size=size) for one in paths]
    pixels = np.stack([film.pixels for film in squares])
    options = flags.parse(["cxr14-predict", f"--model={exported}", *paths])
    found = given.find(options.inputs)

    def ours(count: int) -> None:
        assert len(list(prediction.scored_films(options, found.places, served))) == count

    def alone(count: int) -> None:
        for at in range(0, count, _BATCH):
            served.answer(pixels[at : at + _BATCH])

    ways: dict[str, tuple[Callable[[int], None], int]] = {
        "ours": (ours, _FILMS),
        "alone": (alone, _FILMS),
        "script": (lambda count: _script(network, paths[:count], _BATCH), _FILMS),
        "single": (lambda count: _script(network, paths[:count], 1), _SINGLE),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for number in rounds("prediction", _ROUNDS + 1):
        for name, (way, count) in ways.items():
            start = time.perf_counter()
            way(count)
            if number:  # the first round traces graphs
                speeds[name].append(count / (time.perf_counter() - start))
    middle = {name: statistics.median(values) for name, values in speeds.items()}
    work = f"prediction from 1024 px PNG files, ResNet-50, {_PX} px, batch {_BATCH}"
    script = "plain script: PIL, resize, crop, Keras `predict`, "
    return [
        Ratio(work, middle["ours"], "the SavedModel, pixels in memory", middle["alone"], ">= 0.9"),
        Ratio("the same", middle["ours"], f"{script}batch {_BATCH}", middle["script"], "stated"),
        Ratio("the same", middle["ours"], f"{script}one by one", middle["single"], "stated"),
    ]


def _model(folder: str) -> tuple[Any, str]:
    """Returns a network with random weights, and the folder of its export."""
    shards = material.shards(folder, "png")
    manifest, config = manifests.read(shards), Config()
    config.data.image_size, config.model.weights = _PX, "none"
    model = networks.build(config.model, image_size=_PX, findings=len(manifest.findings))
    serving = Serving(
        model,
        findings=tuple(manifest.findings),
        stored_size=manifest.stored_size,
        encoding=manifest.encoding,
        data=config.data,
        thresholds={},
        calibration={},
    )
    output = storage.join(folder, "prediction-model")
    assets = {manifests.NAME: manifests.to_json(manifest), notes.CONFIG: settings.to_yaml(config)}
    made = export.export(output, serving, manifest=manifest, assets=assets)
    notes.write_note(output, notes.EXPORT_NOTE, {"identity": "random weights", "step": 0})
    return model.network, made


def _script(network: keras.Model, paths: Sequence[str], batch: int) -> None:
    """What one would write: the same steps by PIL, and the network's own `predict`."""
    margin = (material.SIZE - _PX) // 2
    for at in range(0, len(paths), batch):
        pictures = []
        for path in paths[at : at + batch]:
            small = Image.open(path).convert("L").resize((material.SIZE, material.SIZE))
            pictures.append(np.asarray(small)[margin : margin + _PX, margin : margin + _PX])
        network.predict(np.stack(pictures), verbose=0)
