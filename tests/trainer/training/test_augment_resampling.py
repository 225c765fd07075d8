# SPDX-License-Identifier: MIT
"""Tests of crop, ratio, turn, mirror, antialiasing and tones against NumPy and SciPy.

The reference composes 3 x 3 matrices in float64 and weighs every pixel of a padded picture for
every place of the result; of the product it shares the random numbers alone.
"""

import math

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from trainer.config import DataConfig
from trainer.recipe import AugmentationConfig
from trainer.training.augment import augment

COUNT, STORED, SIZE = 6, 40, 32
GENERATOR = np.random.default_rng(8)
# Smooth in part and noisy in part, as films are.
PIXELS = GENERATOR.integers(0, 256, (COUNT, STORED, STORED)).astype(np.uint8)
PIXELS[: COUNT // 2] = scipy.ndimage.gaussian_filter(PIXELS[: COUNT // 2], (0, 3, 3)) * 1.5 - 60

FULL = {
    "min_area": 0.3,
    "max_area": 0.9,
    "max_ratio": 1.5,
    "rotation": 25.0,
    "brightness": 0.2,
    "contrast": 0.5,
}


def augmented(
    settings: dict[str, float], *, size: int = SIZE, flip: bool = False, **changes: object
) -> np.ndarray:
    pixels = np.asarray(changes.pop("pixels", PIXELS))
    positions = np.asarray(changes.pop("positions", np.arange(len(pixels))))
    jit = bool(changes.pop("jit", False))
    global_batch = int(str(changes.pop("global_batch", len(pixels))))
    data = DataConfig(image_size=size, flip=flip, **changes)  # type: ignore[arg-type]

    @tf.function(jit_compile=jit)
    def function(given: tf.Tensor, places: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return augment(
            given,
            places,
            key=key,
            global_batch=global_batch,
            data=data,
            augmentation=AugmentationConfig(**settings),
        )

    result = function(
        tf.constant(pixels), tf.constant(positions, tf.int64), tf.constant([3, 4], tf.int64)
    )
    assert result.dtype == tf.uint8
    return result.numpy()


def draws(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers behind place and mirror, 0 to 1, and behind all else, -1 to 1."""
    key = tf.constant([3, 4], tf.int64)
    other = tf.random.experimental.stateless_fold_in(key, 1)
    more = tf.random.stateless_uniform([count, 5], other).numpy().astype(float)
    return tf.random.stateless_uniform([count, 3], key).numpy().astype(float), 2 * more - 1


def matrix(
    at: int, settings: dict[str, float], *, count: int, size: int, flip: bool, side: int
) -> np.ndarray:
    """Returns what takes (x, y, 1) of the result to the picture, both from the upper left edge."""
    (first, second, third), (area, ratio, turn, *_) = (one[at] for one in draws(count))
    if settings.get("min_area"):
        least, most = settings["min_area"], settings.get("max_area", 1.0)
        share = least + (most - least) * (area + 1) / 2
        bound = min(settings.get("max_ratio", 1.0), 1 / share)
        stretch = bound**ratio
        width, height = STORED * math.sqrt(share * stretch), STORED * math.sqrt(share / stretch)
        top, left = first * (STORED - height), second * (STORED - width)
    else:
        width = height = side
        top, left = (math.floor(one * (STORED - side + 1)) for one in (first, second))
    angle = math.radians(settings.get("rotation", 0.0)) * turn
    cos, sin = math.cos(angle), math.sin(angle)
    sign = -1 if flip and third < 0.5 else 1
    to_centre = np.array([[1, 0, -size / 2], [0, 1, -size / 2], [0, 0, 1]])
    scaled = np.diag([width / size, height / size, 1])
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    moved = np.array([[1, 0, left + width / 2], [0, 1, top + height / 2], [0, 0, 1]])
    return moved @ turned @ np.diag([sign, 1, 1]) @ scaled @ to_centre


def resampled(picture: np.ndarray, to_picture: np.ndarray, size: int) -> np.ndarray:
    """Weighs every pixel for every place of the result, by a tent; edges go on for ever."""
    rim = STORED
    wide = np.pad(picture.astype(float), rim, mode="edge")
    rows, columns = np.mgrid[:size, :size] + 0.5
    x, y, _ = to_picture @ np.stack([columns.ravel(), rows.ravel(), np.ones(size * size)])
    centres = np.arange(len(wide)) - rim + 0.5
    weights = []
    for place, steps in ((y, to_picture[1, :2]), (x, to_picture[0, :2])):
        radius = max(1.0, math.hypot(*steps))
        tent = np.clip(1 - abs(place[:, None] - centres) / radius, 0, None)
        weights.append(tent / tent.sum(axis=1, keepdims=True))
    return np.einsum("py,px,yx->p", *weights, wide, optimize=True).reshape(size, size)


def toned(picture: np.ndarray, at: int, settings: dict[str, float], count: int) -> np.ndarray:
    *_, contrast, brightness = draws(count)[1][at]
    mean = picture.mean()
    stretched = mean + (picture - mean) * (1 + settings.get("contrast", 0.0) * contrast)
    lit = stretched + 255 * settings.get("brightness", 0.0) * brightness
    return np.clip(lit, 0, 255)


def reference(
    settings: dict[str, float], *, size: int = SIZE, flip: bool = False, side: int = 35
) -> np.ndarray:
    made = []
    for at, picture in enumerate(PIXELS):
        where = matrix(at, settings, count=COUNT, size=size, flip=flip, side=side)
        made.append(toned(resampled(picture, where, size), at, settings, COUNT))
    return np.array(made)


def close(result: np.ndarray, expected: np.ndarray) -> None:
    """Half a grey level for rounding, and a little for float32."""
    assert abs(result - expected).max() <= 0.51


SETTINGS = {
    "area": {"min_area": 0.3, "max_area": 0.7},
    "ratio": {"min_area": 0.4, "max_ratio": 2.0},
    "turned square": {"rotation": 30.0},
    "turned any way": {"rotation": 180.0, "min_area": 0.5},
    "contrast": {"min_area": 0.5, "contrast": 0.9},
    "brightness": {"min_area": 0.5, "brightness": 0.6},
    "all": FULL,
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize(("size", "flip"), [(32, False), (33, True)])
def test_pictures_are_those_of_the_reference(
    settings: dict[str, float], size: int, flip: bool
) -> None:
    close(augmented(settings, size=size, flip=flip), reference(settings, size=size, flip=flip))


@pytest.mark.parametrize("stored_to_size", [40 / 32, 40 / 13])
def test_what_shrinks_is_antialiased(stored_to_size: float) -> None:
    size = round(STORED / stored_to_size)
    settings = {"min_area": 0.8, "max_ratio": 1.2, "rotation": 7.0}
    # The smallest input that settings allow is 32 px; the arithmetic knows no limit.
    result = augmented(settings, size=size)
    close(result, reference(settings, size=size))
    noise = slice(COUNT // 2, None)
    assert result[noise].std() < 0.75 * PIXELS[noise].std() * (32 / STORED if size < 32 else 1)


def test_what_grows_is_bilinear_as_in_scipy() -> None:
    settings = {"min_area": 0.1, "max_area": 0.4, "max_ratio": 1.3, "rotation": 180.0}
    result = augmented(settings, size=48, flip=True)
    for at, picture in enumerate(PIXELS):
        where = matrix(at, settings, count=COUNT, size=48, flip=True, side=35)
        rows, columns = np.mgrid[:48, :48] + 0.5
        x, y, _ = where @ np.stack([columns.ravel(), rows.ravel(), np.ones(48 * 48)])
        expected = scipy.ndimage.map_coordinates(
            picture.astype(float), [y - 0.5, x - 0.5], order=1, mode="nearest"
        )
        close(result[at], expected.reshape(48, 48))


def test_the_whole_picture_at_its_own_size_stays_as_it_is() -> None:
    whole = augmented({"min_area": 1.0}, size=STORED)
    np.testing.assert_array_equal(whole, PIXELS)
    mirrored = augmented({"min_area": 1.0}, size=STORED, flip=True)
    for at, one in enumerate(draws(COUNT)[0]):
        expected = PIXELS[at, :, ::-1] if one[2] < 0.5 else PIXELS[at]
        np.testing.assert_array_equal(mirrored[at], expected)


def test_a_turn_by_nothing_is_the_crop_of_the_default() -> None:
    turned = augmented({"rotation": 1e-6}, size=35, flip=True)
    np.testing.assert_array_equal(turned, augmented({}, size=35, flip=True))


def test_tones_alone_leave_the_crop_exact() -> None:
    settings = {"brightness": 0.3, "contrast": 0.6}
    plain, result = augmented({}, size=35), augmented(settings, size=35)
    for at, (picture, changed) in enumerate(zip(plain, result, strict=True)):
        close(changed, toned(picture.astype(float), at, settings, COUNT))


def test_a_turned_crop_that_reaches_over_the_edge_shows_the_edge() -> None:
    bright = np.full_like(PIXELS, 200)
    result = augmented({"min_area": 1.0, "rotation": 180.0}, pixels=bright)
    assert (result == 200).all()


@pytest.mark.parametrize("settings", [FULL, {"brightness": 0.3}], ids=["all", "tones"])
def test_a_replica_makes_the_same_pictures_of_its_share(settings: dict[str, float]) -> None:
    whole = augmented(settings, flip=True)
    for positions in ([2], [5, 0, 1], [3, 4, 5]):
        part = augmented(
            settings, flip=True, pixels=PIXELS[positions], positions=positions, global_batch=COUNT
        )
        np.testing.assert_array_equal(part, whole[positions])


def test_a_step_compiled_by_xla_makes_the_same_pictures() -> None:
    plain, compiled = (augmented(FULL, flip=True, jit=jit).astype(int) for jit in (False, True))
    assert abs(plain - compiled).max() <= 1


def test_operations_one_by_one_make_the_same_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = augmented(FULL, flip=True).astype(int)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["one"])
    assert abs(augmented(FULL, flip=True) - compiled).max() <= 1


def test_crops_have_any_area_and_ratio_and_lie_anywhere_in_the_picture() -> None:
    # Pictures that hold their own coordinates: the result shows which part of them it is.
    count = 400
    ramp = np.broadcast_to(np.arange(STORED, dtype=np.uint8) * 6, (STORED, STORED))
    settings = {"min_area": 0.2, "max_area": 0.8, "max_ratio": 1.5}
    edges = []
    for picture in (ramp, ramp.T):
        result = augmented(settings, pixels=np.stack([picture] * count)).astype(float) / 6 + 0.5
        line = result.mean(axis=1 if picture is ramp else 2)
        # Away from the edges, where the picture goes on as it is at the edge.
        step = (line[:, 24] - line[:, 7]) / 17
        edges.append((line[:, 7] - 7.5 * step, step * SIZE))
    (left, width), (top, height) = edges
    wheres = []
    for start, length in edges:
        assert (start > -0.3).all()
        assert (start + length < STORED + 0.3).all()
        where = start / (STORED - length)
        wheres.append(where)
        assert abs(np.histogram(where, 4, (0, 1))[0] / count - 0.25).max() < 0.11
    area, ratio = width * height / STORED**2, np.log(width / height)
    assert abs(np.histogram(area, 4, (0.2, 0.8))[0] / count - 0.25).max() < 0.11
    small = area < 1 / 1.5  # those that fit with every ratio
    bound = math.log(1.5)
    shares = np.histogram(ratio[small], 4, (-bound, bound))[0] / small.sum()
    assert abs(shares - 0.25).max() < 0.11
    assert abs(np.corrcoef([*wheres, area, ratio])[np.triu_indices(4, 1)]).max() < 0.2


def test_turns_and_tones_are_drawn_evenly_either_way() -> None:
    count = 400
    settings = {"rotation": 60.0, "brightness": 0.2, "contrast": 0.0}
    slope = np.tile((88 + 2 * np.arange(STORED)).astype(np.uint8), (count, STORED, 1))
    result = augmented(settings, pixels=slope).astype(float)
    inner = result[:, 8:24, 8:24]
    across = (inner[:, :, -1] - inner[:, :, 0]).mean(axis=1)
    down = (inner[:, -1] - inner[:, 0]).mean(axis=1)
    # The picture rises to the right: along a row by the cosine, down a column by minus the sine.
    angles = np.degrees(np.arctan2(-down, across))
    assert abs(np.histogram(angles, 4, (-60, 60))[0] / count - 0.25).max() < 0.11
    assert abs(angles).max() < 61
    expected = draws(count)[1]
    np.testing.assert_allclose(angles, 60 * expected[:, 2], atol=1.5)
    assert abs(np.corrcoef(angles, expected[:, 4])[0, 1]) < 0.2
