# SPDX-License-Identifier: MIT
"""Reads films ahead of a model on all cores, and asks it about them in batches."""

import collections
import concurrent.futures
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from trainer.inference import films
from trainer.inference.films import Film, ImageError

if TYPE_CHECKING:
    from trainer.serving.served import Answer, Answering


@dataclasses.dataclass(frozen=True)
class Given:
    """A file that may be a film.

    Attributes:
        id: name of the film, unique among all of a run.
        path: where it lies, for people: a file, or an archive and the name in it.
        fetch: returns its content; raises ImageError if there is none.
    """

    id: str
    path: str
    fetch: Callable[[], bytes]


@dataclasses.dataclass(frozen=True, eq=False)
class Loaded:
    """A film that is ready for a model, or the reason why it is not.

    Attributes:
        id: name of the film.
        path: where it lies, for people.
        film: None if it cannot be used.
        problem: (reason, text), the reason one of `radiographs.REASONS`; empty if it can be used.
        encoded: content of the file if it was to be kept, else empty.
    """

    id: str
    path: str
    film: Film | None = None
    problem: tuple[str, str] | tuple[()] = ()
    encoded: bytes = b""


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """A film and what a model says of it.

    Attributes:
        loaded: the film.
        answer: of this film alone, n = 1; None if the film cannot be used.
    """

    loaded: Loaded
    answer: "Answer | None" = None


def load(
    given: Given,
    *,
    stored_size: int,
    words: Mapping[str, str] | None = None,
    keep: bool = False,
) -> Loaded:
    """Reads and decodes a film.

    Args:
        given: its file.
        stored_size: side in pixels of the canonical picture, as the model wants it.
        words: as `films.read` takes them.
        keep: keep the upright original and the content of the file, which take memory.
    """
    try:
        encoded = given.fetch()
        # All of the id is looked at for what gives a patient away, folders too.
        film = films.read(encoded, given.id.replace("/", "_"), stored_size=stored_size, words=words)
    except ImageError as error:
        return Loaded(given.id, given.path, problem=(error.reason, str(error)))
    if keep:
        return Loaded(given.id, given.path, film, encoded=encoded)
    small = dataclasses.replace(film.original, pixels=np.zeros((0, 0), np.uint8))
    return Loaded(given.id, given.path, dataclasses.replace(film, original=small))


def load_all(
    given: Iterable[Given], read: Callable[[Given], Loaded], *, workers: int, ahead: int
) -> Iterator[Loaded]:
    """Reads films in threads, in order, a fixed number of them ahead of the one that is wanted.

    Args:
        given: files; taken one by one, as films are wanted.
        read: `load` with its options.
        workers: threads; the decoders work outside of Python's lock.
        ahead: films that may be in memory, read or being read.
    """
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="film")
    waiting: collections.deque[concurrent.futures.Future[Loaded]] = collections.deque()
    try:
        for one in given:
            waiting.append(pool.submit(read, one))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def score(model: "Answering", loaded: Iterable[Loaded], batch: int) -> Iterator[Scored]:
    """Asks a model about films, in their order; those that cannot be used pass through.

    The last batch is filled up, so that every film is computed by the same operations.

    Args:
        model: what to ask.
        loaded: in the order in which answers are wanted.
        batch: films that the model sees at once.
    """
    for part in _parts(loaded, batch):
        usable = [one for one in part if one.film is not None]
        if not usable:
            yield from map(Scored, part)
            continue
        squares = np.stack([one.film.pixels for one in usable if one.film is not None])
        filled = np.pad(squares, ((0, batch - len(squares)), (0, 0), (0, 0)))
        answer, at = model.answer(filled), itertools.count()
        yield from (Scored(one, answer.film(next(at)) if one.film else None) for one in part)


def _parts(loaded: Iterable[Loaded], batch: int) -> Iterator[list[Loaded]]:
    """Yields films in parts with `batch` usable ones each, but the last."""
    part: list[Loaded] = []
    usable = 0
    for one in loaded:
        part.append(one)
        usable += one.film is not None
        if usable == batch:
            yield part
            part, usable = [], 0
    if part:
        yield part
