# SPDX-License-Identifier: MIT
"""Films of many requests are asked about together, and no more of them than can be held."""

import asyncio
import threading
import time

import numpy as np
import pytest

from trainer.inference.service.desk import Desk
from trainer.inference.service.settings import RefusedError, Settings
from trainer.serving.served import Answer


class Slow:
    """Answers with the first pixel, and notes how it was called."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.lock = threading.Lock()

    def answer(self, pixels: np.ndarray) -> Answer:
        assert self.lock.acquire(blocking=False), "called twice at a time"
        time.sleep(0.02)
        self.sizes.append(len(pixels))
        self.lock.release()
        if (pixels[:, 0, 0] == 99).any():
            raise ValueError
        raw = pixels[:, :1, 0].astype(np.float32)
        return Answer(raw, None, np.zeros([len(pixels), 1, 0], np.int32), None, None)


def film(value: int) -> np.ndarray:
    return np.full([2, 2], value, np.uint8)


def test_each_gets_its_own_answer_in_few_calls() -> None:
    model = Slow()

    async def ask() -> list[list[Answer]]:
        desk = Desk(Settings(batch=4), model)
        return await asyncio.gather(*(desk.answers([film(at), film(at + 50)]) for at in range(9)))

    found = asyncio.run(ask())
    values = [[one.raw.item() for one in answers] for answers in found]
    assert values == [[at, at + 50] for at in range(9)]
    assert model.sizes == [4, 4, 4, 4, 2]


def test_a_defect_reaches_those_who_asked_and_nobody_after_them() -> None:
    async def ask() -> float:
        desk = Desk(Settings(), Slow())
        with pytest.raises(ValueError):
            await desk.answers([film(99)])
        return (await desk.answers([film(1)]))[0].raw.item()

    assert asyncio.run(ask()) == 1


def test_what_was_given_up_is_not_asked_about() -> None:
    model = Slow()

    async def ask() -> None:
        desk = Desk(Settings(batch=1), model)
        first = asyncio.create_task(desk.answers([film(1)]))
        second = asyncio.create_task(desk.answers([film(2)] * 5))
        third = asyncio.create_task(desk.answers([film(3)]))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(first, third)

    asyncio.run(ask())
    assert model.sizes == [1, 1]


def test_too_many_films_are_refused_until_others_are_done() -> None:
    desk = Desk(Settings(max_waiting=3), Slow())
    with desk.admitted(2):
        with pytest.raises(RefusedError) as caught, desk.admitted(2):
            pass
        assert (caught.value.status, caught.value.later) == (429, True)
        with desk.admitted(1):
            pass
    with desk.admitted(3):
        pass


def test_nothing_is_answered_without_a_model() -> None:
    with pytest.raises(RefusedError) as caught:
        Desk(Settings()).ready()
    assert (caught.value.status, caught.value.later) == (503, True)
