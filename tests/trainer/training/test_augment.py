# SPDX-License-Identifier: MIT
"""Tests of augmentation: real crops and mirrors, decided by (seed, step, position) alone."""

import hashlib

import numpy as np
import tensorflow as tf

from trainer.config import DataConfig
from trainer.recipe import AugmentationConfig
from trainer.training.augment import augment

STORED, SIDE, COUNT = 40, 35, 400
GENERATOR = np.random.default_rng(3)
PIXELS = GENERATOR.integers(0, 256, (COUNT, STORED, STORED)).astype(np.uint8)
# Seed and step -> the head of the SHA-256 of what version 1 made of these pictures.
DRAWN = {(0, 0): "b230390a12283f10", (5, 14): "a8a69f80ad1828b2"}


def augmented(
    positions: np.ndarray | None = None,
    *,
    seed: int = 0,
    step: int = 0,
    image_size: int = SIDE,
    crop_fraction: float = 0.875,
    flip: bool = True,
) -> np.ndarray:
    positions = np.arange(COUNT) if positions is None else positions
    result = augment(
        tf.constant(PIXELS[positions]),
        tf.constant(positions, tf.int64),
        key=tf.constant([seed, step], tf.int64),
        global_batch=COUNT,
        data=DataConfig(image_size=image_size, crop_fraction=crop_fraction, flip=flip),
        augmentation=AugmentationConfig(),
    )
    return np.asarray(result)


def place_of(cut: np.ndarray, whole: np.ndarray) -> tuple[int, int, bool]:
    """Returns top, left and whether mirrored of a square cut out of a picture."""
    for mirrored in (False, True):
        wanted = cut[:, ::-1] if mirrored else cut
        for top in range(STORED - SIDE + 1):
            for left in range(STORED - SIDE + 1):
                if np.array_equal(whole[top : top + SIDE, left : left + SIDE], wanted):
                    return top, left, mirrored
    raise AssertionError("the result is no square of the picture")


def test_every_result_is_a_square_of_its_picture_from_anywhere_half_of_them_mirrored() -> None:
    places = [place_of(cut, whole) for cut, whole in zip(augmented(), PIXELS, strict=True)]
    tops, lefts, mirrored = (list(column) for column in zip(*places, strict=True))
    for starts in (tops, lefts):
        counts = np.bincount(starts, minlength=6)
        # 400 draws from 6 places: 67 each, standard deviation 7.5.
        assert counts.shape == (6,)
        assert (abs(counts - COUNT / 6) < 5 * 7.5).all()
    assert abs(sum(mirrored) - COUNT / 2) < 5 * 10
    assert abs(np.corrcoef(tops, lefts)[0, 1]) < 0.25
    assert abs(np.corrcoef(tops, mirrored)[0, 1]) < 0.25


def test_the_default_draws_what_it_always_drew_so_that_earlier_runs_go_on() -> None:
    digests = [hashlib.sha256(augmented(seed=seed, step=step).tobytes()) for seed, step in DRAWN]
    assert [one.hexdigest()[:16] for one in digests] == list(DRAWN.values())


def test_without_flip_nothing_is_mirrored_and_the_squares_stay_the_same() -> None:
    plain, flipped = augmented(flip=False), augmented()
    for cut, other, whole in zip(plain, flipped, PIXELS, strict=True):
        top, left, mirrored = place_of(cut, whole)
        assert not mirrored
        assert (top, left) == place_of(other, whole)[:2]


def test_a_replica_gets_for_its_slice_what_the_whole_batch_gets() -> None:
    whole = augmented()
    for positions in (np.arange(100, 200), np.array([7]), np.array([399, 0, 5])):
        np.testing.assert_array_equal(augmented(positions), whole[positions])


def test_seed_and_step_each_change_the_result_and_nothing_else_does() -> None:
    first = augmented(seed=1, step=2)
    np.testing.assert_array_equal(first, augmented(seed=1, step=2))
    assert not np.array_equal(first, augmented(seed=1, step=4))
    assert not np.array_equal(first, augmented(seed=2, step=2))


def test_the_result_has_the_size_of_the_input_of_the_model() -> None:
    result = augmented(np.arange(5), image_size=32)
    assert result.shape == (5, 32, 32)
    assert result.dtype == np.uint8
    # Area weights keep the mean brightness of the square.
    squares = augmented(np.arange(5))
    np.testing.assert_allclose(result.mean((1, 2)), squares.mean((1, 2)), atol=0.2)


def test_a_crop_fraction_of_one_keeps_the_whole_picture() -> None:
    result = augmented(crop_fraction=1.0, image_size=STORED, flip=False)
    np.testing.assert_array_equal(result, PIXELS)
