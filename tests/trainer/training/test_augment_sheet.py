# SPDX-License-Identifier: MIT
"""Tests of the sheet that shows what pictures look like in training."""

import numpy as np

from trainer.config import Config
from trainer.training.augment_sheet import sheet

STORED = np.random.default_rng(1).integers(0, 256, (3, 40, 40)).astype(np.uint8)


def test_each_row_is_a_picture_and_what_training_makes_of_it() -> None:
    config = Config()
    config.data.image_size, config.data.crop_fraction = 32, 0.8
    shown = sheet(STORED, config)
    assert shown.shape == (3 * 32, 6 * 32)
    tiles = shown.reshape(3, 32, 6, 32).swapaxes(1, 2)
    for stored, (_, *changed) in zip(STORED, tiles, strict=True):
        squares = np.lib.stride_tricks.sliding_window_view(stored, (32, 32)).reshape(-1, 32, 32)
        for one in changed:
            either = np.concatenate([squares, squares[:, :, ::-1]])
            assert (either == one).all(axis=(1, 2)).any()
    assert len({tile.tobytes() for tile in tiles[0]}) > 3


def test_a_large_picture_is_shown_small() -> None:
    config = Config()
    config.data.image_size, config.augmentation.rotation = 200, 7.0
    assert sheet(STORED[:2], config).shape == (2 * 160, 6 * 160)
