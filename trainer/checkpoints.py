# SPDX-License-Identifier: MIT
"""Saves and restores everything a run needs to go on, and the best networks so far beside it.

A checkpoint holds named arrays: `network/...`, `average/...`, `optimizer/...`, `progress/...`, and
nothing that depends on the number of replicas. It is taken as a copy between two steps and
written by a thread of its own, so that training need not wait for a disk or a bucket.
"""

import concurrent.futures
import dataclasses
import sys
from collections.abc import Mapping

import keras
import numpy as np

from preprocessing.contract import storage
from preprocessing.contract.errors import ConfigError
from trainer import bundle
from trainer.bundle import Arrays

FOLDER = "checkpoints"
BEST = "best"

_IDENTITY = "identity"


@dataclasses.dataclass
class Progress:
    """Where a run stands, beside its weights; a checkpoint carries every field.

    Attributes:
        step: optimiser steps done; epoch and position in the data follow from it.
        best_auc: best validation mean AUC so far; -1 before the first evaluation.
        best_step: the step that reached it.
        stale_epochs: epochs since then.
        plateau_epochs: epochs without a better AUC since the rate was last lowered.
        rate_factor: what the schedule's rate is multiplied by.
        loss_scale: see `optimizer.LossScale`.
        good_steps: likewise.
        skipped_steps: likewise.
    """

    step: int = 0
    best_auc: float = -1.0
    best_step: int = 0
    stale_epochs: int = 0
    plateau_epochs: int = 0
    rate_factor: float = 1.0
    loss_scale: float = 1.0
    good_steps: int = 0
    skipped_steps: int = 0


class Checkpoints:
    """The checkpoints of one run. Only the chief writes; every process reads.

    Args:
        output: folder of the run.
        network: the network.
        optimizer: its optimiser, built.
        progress: where the run stands; changed in place by a restore.
        average: network with the moving average of the weights; None for none.
        identity: of settings and data; a checkpoint of another one is refused.
        keep: newest checkpoints kept.
        keep_best: best networks kept.
        writes: False for a process that is not the chief.
    """

    def __init__(
        self,
        *,
        output: str,
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        progress: Progress,
        average: keras.Model | None = None,
        identity: str = "",
        keep: int = 3,
        keep_best: int = 1,
        writes: bool = True,
    ) -> None:
        self._folder = storage.join(output, FOLDER)
        self._network, self._optimizer, self._average = network, optimizer, average
        self._progress, self._identity = progress, identity
        self._keep, self._keep_best, self._writes = keep, keep_best, writes
        self._saved_step = -1
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoint")
        self._writing: list[concurrent.futures.Future[None]] = []

    def newest(self) -> int:
        """Returns the step of the newest checkpoint that is whole; -1 for a fresh start.

        1. This run's newest checkpoint that is whole: training goes on; a damaged one is passed
           over with a warning.
        2. Otherwise what the model was built with: the weights file or ImageNet's weights,
        3. or random weights.

        Raises:
            ConfigError: there are checkpoints and none is whole.
        """
        paths = bundle.newest_first(self._folder)
        for path in paths:
            damage = bundle.damage_of(path)
            if not damage:
                return bundle.step_of(path)
            print(f"warning: checkpoint {path} is damaged ({damage}): passed over", file=sys.stderr)
        if paths:
            raise ConfigError(
                f"none of the {len(paths)} checkpoints in {self._folder} is whole: delete that "
                "folder to begin anew, or bring it back from a copy"
            )
        return -1

    def restore(self, step: int) -> str:
        """Restores the checkpoint of a step and returns its path.

        Raises:
            ConfigError: it is of another model, other settings or other data.
        """
        path = bundle.path_of(self._folder, step)
        found = bundle.read(path)
        # What an older version of this program wrote has no identity.
        identity = found.pop(_IDENTITY, None)
        if identity is None or str(identity.astype(str)) != self._identity:
            raise ConfigError(
                f"checkpoint {path} is of a run with other settings or other data: choose another "
                "--output"
            )
        bundle.fill(path, self._variables(), found)
        for field in dataclasses.fields(Progress):
            value = found[f"progress/{field.name}"].item()
            setattr(self._progress, field.name, value)
        self._saved_step = self._progress.step
        return path

    def save(self) -> None:
        """Takes a copy of everything and has it written; it counts only when it is whole.

        A step that is saved already is left alone: writing it again would put it at risk.

        Raises:
            OSError or tf.errors.OpError: what befell the save before this one.
        """
        if not self._writes or self._saved_step == self._progress.step:
            return
        arrays = _copied(self._variables())
        for name, value in dataclasses.asdict(self._progress).items():
            arrays[f"progress/{name}"] = np.asarray(value)
        arrays[_IDENTITY] = np.asarray(self._identity.encode())
        self._saved_step = self._progress.step
        self._hand_over(self._folder, self._progress.step, arrays, self._keep)

    def save_best(self) -> None:
        """Has the network (its average, if there is one) written among the best so far."""
        if not self._writes:
            return
        network = self._average if self._average is not None else self._network
        arrays = _copied(_named("network", network.weights))
        arrays["auc"] = np.asarray(self._progress.best_auc)
        folder = storage.join(self._folder, BEST)
        # Best networks are saved in the order in which they got better.
        self._hand_over(folder, self._progress.best_step, arrays, self._keep_best)

    def wait(self) -> None:
        """Returns when everything is written.

        Raises:
            OSError or tf.errors.OpError: what befell a save.
        """
        writing, self._writing = self._writing, []
        for future in writing:
            future.result()

    def clean(self) -> None:
        """Deletes what killed processes left half written."""
        if not self._writes:
            return
        whole = {f"{path}.index" for path in bundle.newest_first(self._folder)}
        whole |= {f"{path}.index" for path in bundle.newest_first(storage.join(self._folder, BEST))}
        for path in storage.list_files(self._folder):
            prefix = path.rpartition(".data-")[0] or path.removesuffix(".index")
            if f"{prefix}.index" not in whole:
                bundle.discard(path)

    def _variables(self) -> dict[str, keras.Variable]:
        named = _named("network", self._network.weights)
        named |= _named("optimizer", self._optimizer.variables)
        if self._average is not None:
            named |= _named("average", self._average.weights)
        return named

    def _hand_over(self, folder: str, step: int, arrays: Arrays, keep: int) -> None:
        # One copy waits while one is written: more would fill the memory.
        while self._writing and (len(self._writing) > 1 or self._writing[0].done()):
            self._writing.pop(0).result()
        self._writing.append(self._thread.submit(bundle.write, folder, step, arrays, keep))


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
            f"checkpoint {path} is damaged ({damage}): bring it back from a copy, or train on "
            "until a better network is found"
        )
    found = bundle.read(path)
    auc = float(found.pop("auc"))
    bundle.fill(path, _named("network", network.weights), found)
    return bundle.step_of(path), auc


def _named(room: str, variables: list[keras.Variable]) -> dict[str, keras.Variable]:
    named = {f"{room}/{variable.path}": variable for variable in variables}
    if len(named) != len(variables):
        raise RuntimeError(f"two variables of {room} have one name, which is a defect")
    return named


def _copied(variables: Mapping[str, keras.Variable]) -> Arrays:
    return {name: np.array(variable.numpy()) for name, variable in variables.items()}
