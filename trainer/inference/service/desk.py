# SPDX-License-Identifier: MIT
"""Takes in the films of all requests, within limits, and has them decoded and answered."""

import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from preprocessing.contract.pictures.image import Pixels
from trainer.inference.service.settings import RefusedError, Settings
from trainer.serving.served import Answer, Answering, Floats

_T = TypeVar("_T")


class Desk:
    """The model, and the films that wait for it.

    The model is called with films of many requests at once, and never twice at a time, as it uses
    all cores by itself.

    Attributes:
        model: None until it is loaded.
        stopping: set once the process is about to end.
    """

    def __init__(self, settings: Settings, model: Answering | None = None) -> None:
        self._settings, self.model, self.stopping = settings, model, threading.Event()
        self._admitted = 0
        self._waiting: collections.deque[tuple[Pixels, asyncio.Future[Answer]]] = (
            collections.deque()
        )
        self._pump: asyncio.Task[None] | None = None
        self._decoders = concurrent.futures.ThreadPoolExecutor(settings.decoders, "decode")
        self._caller = concurrent.futures.ThreadPoolExecutor(1, "model")

    def ready(self) -> Answering:
        """Returns the model.

        Raises:
            RefusedError: it is not there yet.
        """
        if self.model is None:
            raise RefusedError(503, "the model is being loaded: ask again soon", later=True)
        return self.model

    @contextlib.contextmanager
    def admitted(self, films: int) -> Iterator[None]:
        """Counts films that are being worked on for the length of a block.

        Raises:
            RefusedError: they are too many at the moment.
        """
        if self._admitted + films > self._settings.max_waiting:
            raise RefusedError(429, "too many films are waiting: send this again", later=True)
        self._admitted += films
        try:
            yield
        finally:
            self._admitted -= films

    async def decoding(self, work: Callable[[], _T]) -> _T:
        """Runs beside the loop, in its turn, what keeps a processor busy."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    async def heat_maps(self, square: Pixels) -> Floats:
        """Returns float32 [F, image_size, image_size] of a canonical picture."""
        explain = self.ready().heat_maps
        return await self._call(lambda: explain(square[np.newaxis])[0])

    async def answers(self, squares: list[Pixels]) -> list[Answer]:
        """Returns an answer of one film for each canonical picture, uint8 [size, size]."""
        loop, answer = asyncio.get_running_loop(), self.ready().answer
        added = [(square, loop.create_future()) for square in squares]
        self._waiting.extend(added)
        if self._pump is None or self._pump.done():
            self._pump = loop.create_task(self._work(answer))
        return list(await asyncio.gather(*(future for _, future in added)))

    async def _work(self, answer: Callable[[Pixels], Answer]) -> None:
        size = self._settings.batch
        while self._waiting:
            if len(self._waiting) < min(size, self._admitted):
                await asyncio.sleep(self._settings.linger)
            taken = [self._waiting.popleft() for _ in range(min(size, len(self._waiting)))]
            # Without those of requests that were given up.
            squares = [square for square, future in taken if not future.done()]
            futures = [future for _, future in taken if not future.done()]
            if not futures:
                continue
            made: Answer | Exception
            try:
                made = await self._call(functools.partial(answer, np.stack(squares)))
            except Exception as error:
                made = error
            for at, future in enumerate(futures):
                if isinstance(made, Exception) and not future.done():
                    future.set_exception(made)
                elif isinstance(made, Answer) and not future.done():
                    future.set_result(made.film(at))

    async def _call(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._caller, work)
