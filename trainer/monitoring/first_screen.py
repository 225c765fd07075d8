# SPDX-License-Identifier: MIT
"""Puts first in TensorBoard whether a run learns, and whether it starves; imports no TensorFlow.

TensorBoard sorts groups of curves by name and opens the first two, and HParams shows by itself the
metric whose tag comes first: so a few curves stand a second time in a group that is the first of
all. Its tab Custom Scalars shows what is laid out here.
"""

from collections.abc import Mapping

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as about

from trainer.monitoring.event_log import value

BEST = "at_a_glance/1_best_validation_auc"
_FIRST = {
    "validation/mean_auc": "at_a_glance/2_validation_auc",
    "train/loss": "at_a_glance/3_training_loss",
    "train/input_wait_share": "at_a_glance/4_input_wait_share",
    "train/steps_per_second": "at_a_glance/5_steps_per_second",
    "train/seconds_left": "at_a_glance/6_seconds_left",
}
# Category of Custom Scalars -> title of a chart -> the curves in it, by a regular expression.
_LAYOUT = {
    "Is it learning?": {
        "validation AUC, and the best network's": rf"^({BEST}|validation/mean_auc)$",
        "training loss": "^train/loss$",
        "validation loss": "^validation/loss$",
        "validation AUC of each finding": "^validation_auc/",
    },
    "Is it starving?": {
        "share of the time that steps wait for input": "^train/input_wait_share$",
        "steps per second": "^train/steps_per_second$",
        "images per second": "^train/images_per_second$",
    },
    "When is it done?": {"seconds left": "^train/seconds_left$"},
}


def with_first(scalars: Mapping[str, float]) -> dict[str, float]:
    """Returns points, tag -> value, and those of the first screen once more under its tags."""
    return {_FIRST[tag]: number for tag, number in scalars.items() if tag in _FIRST} | {**scalars}


def of_validation(loss: float, mean_auc: float) -> dict[str, float]:
    """Returns the points of a validation: its loss in nats, and its AUC under both tags."""
    return with_first({"validation/loss": loss, "validation/mean_auc": mean_auc})


def layout() -> Summary.Value:
    """Returns what the tab Custom Scalars shows."""
    chart, multiline = layout_pb2.Chart, layout_pb2.MultilineChartContent
    categories = [
        layout_pb2.Category(
            title=title,
            chart=[chart(title=name, multiline=multiline(tag=[tags])) for name, tags in of.items()],
        )
        for title, of in _LAYOUT.items()
    ]
    laid_out = layout_pb2.Layout(category=categories).SerializeToString()
    return value(about.CONFIG_SUMMARY_TAG, about.create_summary_metadata(), laid_out)
