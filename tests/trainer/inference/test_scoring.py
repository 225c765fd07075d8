# SPDX-License-Identifier: MIT
"""Films come back in order, each with its own answer, whatever the batches are."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from trainer.inference import scoring
from trainer.inference.films import ImageError
from trainer.inference.scoring import Given, Loaded
from trainer.serving.served import Answer


class _Mean:
    """Says of a film how bright it is; counts the films that it is given at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def answer(self, pixels: npt.NDArray[np.uint8]) -> Answer:
        self.sizes.append(len(pixels))
        raw = pixels.mean((1, 2), keepdims=True)[:, :, 0].astype(np.float32)
        return Answer(raw, None, np.zeros((len(pixels), 1, 0), np.int32), raw[:, 0], None)


def _given(at: int) -> Given:
    def fetch() -> bytes:
        if at % 3 == 1:
            raise ImageError("vanished", "the file is gone")
        grey = np.full((20, 20), at, np.uint8)
        grey[0, 0] += 1
        return cv2.imencode(".png", grey)[1].tobytes()

    return Given(f"{at}.png", f"/films/{at}.png", fetch)


def _read(one: Given) -> Loaded:
    return scoring.load(one, stored_size=20)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_every_film_gets_its_own_answer_in_order(batch: int) -> None:
    model = _Mean()
    loaded = scoring.load_all(map(_given, range(20)), _read, workers=3, ahead=5)
    scored = list(scoring.score(model, loaded, batch))  # type: ignore[arg-type]
    assert [one.loaded.id for one in scored] == [f"{at}.png" for at in range(20)]
    for at, one in enumerate(scored):
        if at % 3 == 1:
            assert one.answer is None and one.loaded.problem == ("vanished", "the file is gone")
        else:
            assert one.answer is not None and one.answer.distance is not None
            np.testing.assert_allclose(one.answer.raw, [[at + 1 / 400]], rtol=1e-6)
            np.testing.assert_array_equal(one.answer.distance, one.answer.raw[0])
    assert set(model.sizes) == {batch}


def test_no_more_films_are_read_than_may_be_in_memory() -> None:
    asked: list[int] = []

    def given() -> Iterator[Given]:
        for at in range(50):
            asked.append(at)
            yield _given(at)

    loaded = scoring.load_all(given(), _read, workers=2, ahead=6)
    for number in range(10):
        next(loaded)
        assert len(asked) <= number + 6


def test_originals_are_kept_only_on_request() -> None:
    assert not _read(_given(0)).encoded
    kept = scoring.load(_given(0), stored_size=10, keep=True)
    assert kept.film is not None and kept.film.original.pixels.shape == (20, 20)
    assert kept.encoded.startswith(b"\x89PNG")
