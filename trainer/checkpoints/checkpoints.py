# SPDX-License-Identifier: MIT
"""Saves and restores everything a run needs to go on, and the best networks so far beside it.

A checkpoint holds named arrays: `network/...`, `average/...`, `optimizer/...`, `progress/...`, and
nothing that depends on the number of replicas. It is taken as a copy between two steps and
written by a thread of its own, so that training need not wait for a disk or a bucket.
"""

import concurrent.futures
import dataclasses
import re
from collections.abc import Callable, Mapping

import keras
import numpy as np
import numpy.typing as npt
from absl import logging

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage
from trainer.checkpoints import bundle
from trainer.checkpoints.bundle import Arrays
from trainer.checkpoints.progress import Progress
from trainer.runfolder import identity

FOLDER = "checkpoints"
BEST = "best"

# The array with a run's record.
RECORD = "identity"


class Checkpoints:
    """The checkpoints of one run. Only the chief writes; every process reads.

    Args:
        output: folder of the run.
        network: the network.
        optimizer: its optimiser, built.
        progress: how far the run is; changed in place by a restore.
        average: network with the moving average of the weights; None for none.
        record: of settings and data (`identity.record`); a checkpoint of others is refused.
        vouched: whether config.yaml was compared; an older version's checkpoint needs that.
        keep: newest checkpoints kept.
        keep_best: best networks kept.
        writes: False for a process that is not the chief.
        guard: called before files are deleted or replaced.

    Attributes:
        prove: raises an error if arrays that were copied, by name, are not those of the last step;
            None where steps are not verified.
    """

    def __init__(
        self,
        *,
        output: str,
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        progress: Progress,
        average: keras.Model | None = None,
        record: str = "{}",
        vouched: bool = False,
        keep: int = 3,
        keep_best: int = 1,
        writes: bool = True,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = storage.join(output, FOLDER)
        self._network, self._optimizer, self._average = network, optimizer, average
        self._progress, self._record, self._vouched = progress, record, vouched
        self._keep, self._keep_best, self._writes = keep, keep_best, writes
        self._guard = guard
        self.prove: Callable[[Arrays], None] | None = None
        self._saved_step = -1
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoint")
        self._writing: list[concurrent.futures.Future[None]] = []

    def newest(self) -> int:
        """Returns the step of the newest checkpoint that is whole; -1 for a fresh start.

        1. This run's newest checkpoint that can be read: training goes on; others are passed over
           with a warning.
        2. Otherwise what the model was built with: the weights file or ImageNet's weights,
        3. or random weights.

        Raises:
            ConfigError: there are checkpoints and none can be read.
        """
        paths = bundle.newest_first(self._folder)
        for path in paths:
            damage = bundle.damage_of(path)
            if not damage:
                return bundle.step_of(path)
            logging.warning(f"checkpoint {path} cannot be read ({damage}): passed over")
        if paths:
            raise ConfigError(
                f"none of the {len(paths)} checkpoints in {self._folder} can be read (the oldest: "
                f"{damage}): bring them back from a copy, or train in a new --output"
            )
        return -1

    def restore(self, step: int) -> str:
        """Restores the checkpoint of a step and returns its path.

        Raises:
            ConfigError: it is of another model, other settings or other data.
        """
        path = bundle.path_of(self._folder, step)
        # 1. Of the same settings and data, before any variable is touched.
        found = bundle.read(path)
        if other := self._difference(found.pop(RECORD, None)):
            raise ConfigError(
                f"checkpoint {path} is of a run with {other}: restore it, or train in a new "
                "--output"
            )
        # 2. All variables or none of them.
        bundle.fill(path, self.variables(), found)
        # 3. Epoch and place in the data follow from the step.
        for field in dataclasses.fields(Progress):
            # Older versions had fewer fields.
            if (value := found.get(f"progress/{field.name}")) is not None:
                setattr(self._progress, field.name, value.item())
        self._saved_step = self._progress.step
        return path

    def save(self) -> None:
        """Takes a copy of everything and has it written; it counts only when it is whole.

        A step that is saved already is left alone: writing it again would put it at risk.

        Raises:
            OSError or tf.errors.OpError: any error of the previous save.
        """
        if not self._writes or self._saved_step == self._progress.step:
            return
        # 1. A copy in memory, taken between two steps: training may go on while it is written.
        arrays = self._copied(self.variables())
        # 2. Where the run is, and what run it is, so that a restore can refuse another one.
        for name, value in dataclasses.asdict(self._progress).items():
            arrays[f"progress/{name}"] = np.asarray(value)
        arrays[RECORD] = np.asarray(self._record.encode())
        # 3. Noted before it is written: a write that fails ends the run, at the next save or wait.
        self._saved_step = self._progress.step
        self._hand_over(self._folder, self._progress.step, arrays, self._keep)

    def save_best(self) -> None:
        """Has the network (its average, if there is one) written among the best so far."""
        if not self._writes:
            return
        room = "network" if self._average is None else "average"
        kept = {name: one for name, one in self.variables().items() if name.startswith(f"{room}/")}
        arrays = self._copied(kept)
        arrays = {re.sub(f"^{room}/", "network/", name): one for name, one in arrays.items()}
        arrays["auc"] = np.asarray(self._progress.best_auc)
        arrays[RECORD] = np.asarray(self._record.encode())
        folder = storage.join(self._folder, BEST)
        # Best networks are saved in the order in which they got better.
        self._hand_over(folder, self._progress.best_step, arrays, self._keep_best)

    def wait(self) -> None:
        """Returns when everything is written.

        Raises:
            OSError or tf.errors.OpError: any error of a save.
        """
        writing, self._writing = self._writing, []
        for future in writing:
            future.result()

    def clean(self) -> None:
        """Deletes what killed processes left half written."""
        if not self._writes:
            return
        self._guard()
        whole = {f"{path}.index" for path in bundle.newest_first(self._folder)}
        whole |= {f"{path}.index" for path in bundle.newest_first(storage.join(self._folder, BEST))}
        for path in storage.list_files(self._folder):
            prefix = path.rpartition(".data-")[0] or path.removesuffix(".index")
            if f"{prefix}.index" not in whole:
                bundle.discard(path)

    def _difference(self, before: npt.NDArray[np.generic] | None) -> str:
        """Names what of a checkpoint's record differs from the run's; "" for nothing."""
        try:
            return identity.difference_of_records(bundle.text_of(before), self._record)
        except (ValueError, RecursionError):
            # An older version wrote a hash of the settings, and before that nothing.
            known = before is not None and self._vouched
            return "" if known else "other settings or other data"

    def variables(self) -> dict[str, keras.Variable]:
        """Returns all variables by the names that they have in a checkpoint."""
        found = named("network", self._network.weights)
        found |= named("optimizer", self._optimizer.variables)
        if self._average is not None:
            found |= named("average", self._average.weights)
        return found

    def _copied(self, variables: Mapping[str, keras.Variable]) -> Arrays:
        arrays: Arrays = {name: np.array(one.numpy()) for name, one in variables.items()}
        if self.prove is not None:
            self.prove(arrays)
            bundle.seal(arrays)
        return arrays

    def _hand_over(self, folder: str, step: int, arrays: Arrays, keep: int) -> None:
        # One copy waits while one is written: more would fill the memory.
        while self._writing and (len(self._writing) > 1 or self._writing[0].done()):
            self._writing.pop(0).result()
        self._writing.append(
            self._thread.submit(bundle.write, folder, step, arrays, keep, self._guard)
        )


def restore_best(output: str, network: keras.Model) -> tuple[int, float]:
    """Restores the best network of a run.

    Returns:
        Its step and its validation mean AUC.

    Raises:
        ConfigError: the run has no best checkpoint, or it is of another model.
    """
    paths = bundle.newest_first(storage.join(output, FOLDER, BEST))
    if not paths:
        raise ConfigError(
            f"{output} holds no best checkpoint: train first (--mode=train), to the "
            "end of an epoch at least"
        )
    path = paths[0]
    damage = bundle.damage_of(path)
    if damage:
        raise ConfigError(
            f"checkpoint {path} cannot be read ({damage}): bring it back from a copy, or train on "
            "until a better network is found"
        )
    found = bundle.read(path)
    auc = float(found.pop("auc"))
    found.pop(RECORD, None)
    bundle.fill(path, named("network", network.weights), found)
    return bundle.step_of(path), auc


def named(room: str, variables: list[keras.Variable]) -> dict[str, keras.Variable]:
    """Returns variables by the names that they have in a checkpoint."""
    found = {f"{room}/{variable.path}": variable for variable in variables}
    if len(found) != len(variables):
        raise RuntimeError(f"two variables of {room} have one name, which is a defect")
    return found
