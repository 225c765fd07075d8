# SPDX-License-Identifier: MIT
"""Finds out, at export, what pictures of training look like and how far those of validation are.

A sample of each split is read, from the head of every shard, so that time and memory do not grow
with the data set. Nothing is chosen on the test split: its share of flagged pictures is only noted.
"""

import json
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from absl import logging

from preprocessing.contract.pictures import image_graph
from preprocessing.contract.process.progress import Progress
from trainer.data import dataset, integrity
from trainer.network.model import Model
from trainer.run import Run
from trainer.serving import familiarity
from trainer.serving.familiarity import Familiarity, Floats, Spread

QUANTILE = 0.99
_BATCH = 32
# Directions in which the spread of training is measured each by itself: 2,048 channels have more
# than a sample can tell apart, and all of them would add 16 MB to the SavedModel.
_AXES = 128
# Least variance, of features that have about 1: what hardly varies in training may vary a little.
_LEAST = 1e-4
# Written too, since an earlier export into the same folder may have left more.
_NOTHING = "{}\n"


def fit(run: Run, model: Model) -> tuple[Familiarity | None, str]:
    """Looks at pictures of train, validation and test.

    Args:
        run: the run; its setting `evaluation.familiarity` is how many of each.
        model: its best network, in float32.

    Returns:
        What flags unfamiliar pictures, and a JSON text about it; None and an empty object where
        there is nothing to measure by.

    Raises:
        DataError: a shard that is damaged.
    """
    sizes = {name: split.examples for name, split in run.manifest.splits.items()}
    if not run.config.evaluation.familiarity:
        return None, _NOTHING
    if not (sizes.get("train") and sizes.get("validation")):
        logging.warning("without train and validation pictures none will be called unfamiliar")
        return None, _NOTHING
    views = {name: _views(run, model, name) for name, size in sizes.items() if size}
    if not all(np.isfinite(view).all() for pair in views.values() for view in pair):
        logging.warning("features of the network are not finite: no picture is called unfamiliar")
        return None, _NOTHING
    return _measured(views)


def _measured(views: Mapping[str, tuple[Floats, Floats]]) -> tuple[Familiarity, str]:
    """Fits to what was seen of train, and measures the distances of the other splits."""
    spreads = [spread_of(view) for view in views["train"]]
    apart = {
        name: [
            spread(tf.constant(view)).numpy() for spread, view in zip(spreads, pair, strict=True)
        ]
        for name, pair in views.items()
        if name != "train"
    }
    # Pictures of training lie closer to their own ellipsoid than any others do, the more so the
    # fewer they are: it is those of validation that make the two distances comparable.
    units = [max(float(np.quantile(one, QUANTILE)), _LEAST) for one in apart["validation"]]
    distances = {
        name: np.max([one / unit for one, unit in zip(pair, units, strict=True)], axis=0)
        for name, pair in apart.items()
    }
    threshold = float(np.quantile(distances["validation"], QUANTILE))
    note = {
        "threshold": threshold,
        "quantile": QUANTILE,
        "pictures": {name: len(pair[0]) for name, pair in views.items()},
        "features": {"pooled": views["train"][0].shape[1], "layout": views["train"][1].shape[1]},
        "units": {"pooled": units[0], "layout": units[1]},
        "flagged": {name: float((one > threshold).mean()) for name, one in distances.items()},
    }
    made = Familiarity(spreads[0], spreads[1], (units[0], units[1]), threshold)
    return made, json.dumps(note, indent=2) + "\n"


def spread_of(features: Floats) -> Spread:
    """Fits an ellipsoid to float32 [n, d].

    The variance along the longest axes is measured, and that of all others together; both are
    shrunk towards the mean variance as far as n is small for it (Ledoit and Wolf, 2004), so that a
    few pictures of many features do not make a flat ellipsoid.
    """
    count, width = features.shape
    mean, scale = features.mean(0), features.std(0)
    # A channel that is dead in training must not decide all by waking up.
    scale = np.maximum(scale, 0.01 * scale.mean() + 1e-6)
    apart = (features - mean) / scale
    _, singular, axes = np.linalg.svd(apart, full_matrices=False)
    variance = singular.astype(np.float64) ** 2 / count
    level, squares = variance.sum() / width, (variance**2).sum()
    noise = ((apart.astype(np.float64) ** 2).sum(1) ** 2).mean() / count - squares / count
    shrunk = float(np.clip(noise / max(squares - width * level**2, 1e-12), 0.0, 1.0))
    kept = min(_AXES, len(variance))
    along = (1 - shrunk) * variance[:kept] + shrunk * level
    others = (1 - shrunk) * variance[kept:].sum() / max(width - kept, 1) + shrunk * level
    return Spread(
        mean,
        scale,
        np.ascontiguousarray(axes[:kept].T),
        (1 / np.maximum(along, _LEAST)).astype(np.float32),
        1 / max(float(others), _LEAST) if width > kept else 0.0,
    )


def _views(run: Run, model: Model, split: str) -> tuple[Floats, Floats]:
    """Returns pooled features float32 [n, channels] and layouts float32 [n, 130] of a sample."""
    size, data = run.manifest.stored_size, run.config.data
    network = familiarity.with_pooled(model)

    @tf.function(input_signature=[tf.TensorSpec([None, size, size], tf.uint8)])
    def look(squares: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        fitted = image_graph.fit(
            squares, image_size=data.image_size, crop_fraction=data.crop_fraction
        )
        return network(fitted, training=False)[1], familiarity.layout(squares)

    count = min(run.config.evaluation.familiarity, run.manifest.splits[split].examples)
    batches = dataset.sample_batches(run.data, run.manifest, split, count, size=_BATCH)
    seen = []
    title = f"looking at {split} for what is familiar"
    with (
        Progress(title, count, unit="images") as progress,
        integrity.naming_damage(run.data, run.manifest),
    ):
        for squares in batches:
            seen.append([part.numpy() for part in look(squares)])
            progress.reach(sum(len(one[0]) for one in seen))
    pooled, layouts = (np.concatenate(part) for part in zip(*seen, strict=True))
    return pooled, layouts
