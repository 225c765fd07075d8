# SPDX-License-Identifier: MIT
"""The curves that TensorBoard shows first are curves that a run logs."""

import re

from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.util.tensor_util import make_ndarray

from trainer.monitoring import first_screen

# What tests/trainer/training/test_calls.py and test_monitor.py see logged.
LOGGED = {
    *(f"train/{name}" for name in ("loss", "input_wait_share", "steps_per_second")),
    *("train/images_per_second", "train/seconds_left", "validation/mean_auc", "validation/loss"),
    *("validation_auc/Mass", first_screen.BEST),
}


def test_a_point_of_the_first_screen_stands_under_both_its_tags() -> None:
    points = {tag: 0.5 for tag in LOGGED} | {"train/gradient_norm": 2.0}
    both = first_screen.with_first(points)
    assert {tag: both[tag] for tag in points} == points
    first = both.keys() - points.keys()
    assert all(tag.startswith("at_a_glance/") and both[tag] == 0.5 for tag in first)
    assert len(first) == 5


def test_every_chart_of_the_layout_shows_curves_and_each_curve_is_in_one() -> None:
    summary = first_screen.layout()
    assert summary.metadata.plugin_data.plugin_name == "custom_scalars"
    layout = layout_pb2.Layout.FromString(make_ndarray(summary.tensor).item())
    assert [one.title for one in layout.category] == [
        "Is it learning?",
        "Is it starving?",
        "When is it done?",
    ]
    shown = [
        {tag for tag in LOGGED for pattern in chart.multiline.tag if re.search(pattern, tag)}
        for category in layout.category
        for chart in category.chart
    ]
    assert all(shown)
    assert sum(map(len, shown)) == len(LOGGED) == len(set.union(*shown))
