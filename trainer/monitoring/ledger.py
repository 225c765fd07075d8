# SPDX-License-Identifier: MIT
"""Keeps in a run's folder what each of its starts did with its time; imports no TensorFlow.

Each start of the chief has a file of its own in `ledger/`, which is written anew all the time:
object stores cannot append, a start that is killed loses seconds, and none can spoil the file of
another. As all processes of a run go in step, the chief's time is the run's.
"""

import contextlib
import dataclasses
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from absl import logging

from preprocessing.contract.errors import ConfigError, JobError, StoppedError
from preprocessing.contract.files import storage
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.monitoring import goodput
from trainer.monitoring.clock import CLOCK, Clock
from trainer.monitoring.goodput import Start
from trainer.runfolder import notes
from trainer.runfolder.kept_file import KeptFile

FOLDER = "ledger"
PRICE = "CXR14_PRICE_PER_HOUR"
# A start that fails sooner, without having trained, leaves no file.
_EVERY_S = 20.0
# A process that was asked to end has 15 seconds, and saves in them.
_LAST_S = 3.0
_PRICE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?: (\S{1,16}))?|")


class Ledger:
    """The time of a run, over all its starts.

    Args:
        output: folder of the run.
        config: its settings.
        environ: may state in CXR14_PRICE_PER_HOUR what a machine costs, such as "12.50 EUR".
        clock: seconds by phase.
        every_s: seconds between two writes.

    Raises:
        ConfigError: the price cannot be read.
    """

    def __init__(
        self,
        output: str = "",
        config: Config | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock = CLOCK,
        every_s: float = _EVERY_S,
    ) -> None:
        self._output, self._config = output, config or Config()
        self._clock, self._there = clock, False
        text = (environ or {}).get(PRICE, "").strip()
        if not (found := _PRICE.fullmatch(text)):
            raise ConfigError(
                f"{PRICE}={text} is not a price: set it to what a machine costs an hour with its "
                "accelerators, such as 12.50 or 12.50 EUR, or not at all"
            )
        price = float(found[1]) if text else None
        began = time.time() - sum(clock.seconds().values())
        self._start = Start(began, {}, price=price, currency=found[2] or "")
        self._path = storage.join(output, FOLDER, f"{began:.0f}-{uuid.uuid4().hex[:8]}.json")
        self._progress: Progress | None = None
        self._earlier: list[Start] | None = None  # None until they could be read
        self._file = KeptFile(self._path, every_s, _LAST_S)

    @contextlib.contextmanager
    def kept(self, guard: Callable[[], None]) -> Iterator[None]:
        """Keeps this start's file while a block runs, and says in the end where the time went.

        Args:
            guard: fails, or ends the process, where the folder has become another run's.
        """
        code = 1  # of a defect
        try:
            with self._file.kept(self._read, guard, self._write, at_once=False):
                try:
                    yield
                    code = 0
                except JobError as error:
                    code = error.exit_code
                    raise
                finally:
                    self._start = dataclasses.replace(self._start, exit_code=code)
        finally:
            starts = self._starts() if code in (0, StoppedError.exit_code) else []
            if goodput.summary(starts)["percent"]:
                logging.info(goodput.line(starts, self._config))

    def trains(self, progress: Progress, per_epoch: int, replicas: int, machines: int) -> None:
        """Says that training begins or goes on: how far it is, and with how many of what."""
        self._start = dataclasses.replace(
            self._own(),
            first=progress.step,
            per_epoch=per_epoch,
            batch=self._config.data.global_batch_size,
            replicas=replicas,
            machines=machines,
        )
        self._progress = progress
        self._file.renew()

    def note(self) -> dict[str, Any]:
        """Returns what a note of a training that is over says; empty where nothing is kept."""
        starts = self._starts()
        made = goodput.summary(starts)
        names = ("images_seen", "accelerator_hours", "cost", "currency")
        told = {name: value for name in names if (value := made.pop(name)) not in (None, "")}
        return {**told, "goodput": {**made, "definition": goodput.DEFINITION}} if starts else {}

    def scalars(self) -> dict[str, float]:
        """Returns tag -> value for TensorBoard; empty where nothing is kept."""
        return goodput.scalars(goodput.summary(starts)) if (starts := self._starts()) else {}

    def _own(self) -> Start:
        seconds, progress = self._clock.seconds(), self._progress
        if progress is None:
            other = seconds.get("other", 0.0)
            return dataclasses.replace(self._start, seconds=seconds, setting_up=other)
        return dataclasses.replace(self._start, seconds=seconds, last=progress.step)

    def _starts(self) -> list[Start]:
        """All starts up to now; none where earlier ones could not be read."""
        return [] if self._earlier is None else [*self._earlier, self._own()]

    def _read(self) -> None:
        if self._earlier is None:
            self._earlier = read(self._output, but=self._path)

    def _write(self) -> None:
        own = self._own()
        if own.exit_code in (None, 0) or own.first is not None or self._there:
            storage.write_text(self._path, json.dumps(dataclasses.asdict(own), indent=2) + "\n")
            self._there = True


def read(output: str, but: str = "") -> list[Start]:
    """Returns what is known of the starts of a run, without that of the file `but`.

    A damaged file is warned of.

    Raises:
        JobError, OSError: the folder cannot be read.
    """
    folder, found = storage.join(output, FOLDER), []
    for path in storage.list_files(folder) if storage.exists(folder) else []:
        if path != but and path.endswith(".json"):
            found.append(goodput.parse(notes.read_note(folder, storage.basename(path))))
            if found[-1] is None:
                logging.warning(f"{path} is damaged: the time of that start counts as down time")
    return [start for start in found if start is not None]
