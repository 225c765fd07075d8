# SPDX-License-Identifier: MIT
"""Finds a machine that computes or remembers wrongly and says nothing of it.

What is found (`runtime.verify_every_steps`):

- A fault in the gradients of a verified step, which are computed twice before the update. A third
  time tells a transient fault, where two of three agree, from a lasting one. Verified are every
  N-th step, the first of a start, and the last before a scheduled checkpoint, to vouch for it.
- A change in memory of weights, moments or moving average, in any step: checksums of all variables
  are taken after each update, and again before the next, when its gradients are summed up. This
  covers what comes between host calls, too. A second reading tells a misread from a change that
  lasts. Copies for checkpoints are compared, and take the checksums along for their restore.

What is not: a wrong gradient of another step, or one that is wrong alike each time; a wrong update,
and a change in memory while it is written; a change of batch statistics inside a step, which moves
them; a batch decoded wrongly; and what is smaller than a tolerance, where there is one. A checksum
is a sum of 64-bit integers: any one flipped bit changes it, and two might cancel.
"""

import socket

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.errors import JobError, ResourceError, StoppedError
from preprocessing.contract.files import storage
from trainer.checkpoints import bundle, checkpoints
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.network.model import Model
from trainer.run import Run

# GPU threads add in any order (unless runtime.deterministic). Factors are rounded to 11 bits in
# float16 and in TensorFloat-32, which stands in for float32, to 8 in bfloat16. Sixteen roundings,
# as a share of a gradient's largest element, leave room for the layers that they pass.
_TOLERANCES = {"float32": 2.0**-7, "mixed_float16": 2.0**-7, "mixed_bfloat16": 2.0**-4}


class Verification:
    """Watches the steps of a run.

    Args:
        run: with its devices and settings.
        model: the network.
        saver: its checkpoints, restored; will have every copy proven.
        progress: how far the run is; what is verified goes into it.
        per_epoch: steps in an epoch.
    """

    def __init__(
        self, run: Run, model: Model, saver: Checkpoints, progress: Progress, per_epoch: int
    ) -> None:
        self._run, self._progress, self._strategy = run, progress, run.runtime.strategy
        settings, self._saver = run.config.runtime, saver
        # Batch statistics come first: a step changes them long before its update.
        moving = {id(one) for one in model.network.non_trainable_weights}
        state = sorted(saver.variables().items(), key=lambda pair: id(pair[1]) not in moving)
        self._names, self._state = [name for name, _ in state], [one for _, one in state]
        self._moving = sum(id(one) in moving for one in self._state)
        every = (settings.verify_every_steps, run.config.train.checkpoint_every_steps, per_epoch)
        self._every, self._first = [steps for steps in every if steps], progress.step
        gpus = tf.config.list_physical_devices("GPU")
        exact = settings.deterministic or not (gpus or run.runtime.topology.tpu)
        self._tolerance = 0.0 if exact else _TOLERANCES[settings.precision]
        self._learning: list[str] = []
        self._results: list[list[tf.Variable]] = []
        with self._strategy.scope():
            self._held, self._changed = _own(len(state)), _own(2, len(state))
            self._differ, self._agreed, self._step = _own(), _own(), _own()
        tf.function(lambda: self._strategy.run(self.hold))()
        saver.prove = self.prove

    def watch(self, names: list[str], results: list[list[tf.Variable]]) -> None:
        """Learns where a step keeps what three times gave: gradients of variables, and losses."""
        self._learning, self._results = [*names, "all losses", "all targets"], results

    # 1. What the graph of a step calls: the first two for all replicas, the others for each.

    def is_due(self, step: tf.Tensor) -> tf.Tensor:
        """Tells whether a step, int64 [], is to be verified: none when a fault was found."""
        well = self._first_of(self._agreed) + self._first_of(self._differ) == 0
        last = tf.reduce_any((step + 1) % tf.constant(self._every, tf.int64) == 0)
        return well & (last | (step == self._first))

    def differ(self) -> tf.Tensor:
        """Notes and returns whether the first two times differ on any replica, int32 []."""

        def replica() -> None:
            one, two = ([tf.identity(part) for part in kept] for kept in self._results[:2])
            own = tf.reduce_sum(_differing(one, two, self._tolerance))
            self._differ.assign(_over_replicas(own))

        self._strategy.run(replica)
        return tf.cast(self._first_of(self._differ) > 0, tf.int32)

    def begin(self, step: tf.Tensor) -> None:
        """Notes the step that begins, and checks what its forward pass will change."""
        self._step.assign(tf.where(tf.identity(self._agreed) == 0, step, tf.identity(self._step)))
        self._look(0, self._moving)

    def judge(self, norm: tf.Tensor) -> tf.Tensor:
        """Returns the norm of summed gradients; not a number if any replica has found a fault."""
        with tf.control_dependencies([norm]):
            self._look(self._moving, len(self._state))
        own = tf.math.count_nonzero(tf.identity(self._changed)[0]) + tf.identity(self._differ)
        self._agreed.assign(_over_replicas(own))
        return tf.where(tf.identity(self._agreed) > 0, float("nan"), norm)

    def hold(self) -> None:
        """Takes the checksums of the state."""
        self._held.assign(self._sums(0, len(self._state)))

    def _look(self, begin: int, end: int) -> None:
        """Reads part of the state, and once more if that is not what is held."""
        if begin == end:
            return
        held = tf.identity(self._held)[begin:end]
        first = self._sums(begin, end) - held
        again = tf.cond(
            tf.reduce_any(first != 0), lambda: self._sums(begin, end) - held, lambda: first
        )
        found = tf.where(tf.identity(self._agreed) == 0, tf.stack([first, again]), 0)
        self._changed.assign_add(tf.pad(found, [[0, 0], [begin, len(self._state) - end]]))

    def _sums(self, begin: int, end: int) -> tf.Tensor:
        return tf.stack([_checksum(one.value) for one in self._state[begin:end]])

    # 2. What the host calls.

    def check(self, first: int, count: int) -> None:
        """Ends the run if any replica of any process has found a fault in the steps of a call.

        Raises:
            StoppedError: a transient fault.
            ResourceError: a lasting one.
        """
        if not int(self._first_of(self._agreed)):
            due = [at + 1 for at in range(first, first + count) if self.is_due(at)]
            self._progress.verified_step = max([self._progress.verified_step, *due])
            return
        rows = self._run.runtime.agreement.gather(self._found()).reshape(-1, 4)
        newest = self._leave_proven() if self._run.runtime.is_chief else -1
        newest = self._run.runtime.agreement.chiefs(newest)
        raise self._error(rows, int(self._first_of(self._step)), newest)

    def prove(self, arrays: bundle.Arrays) -> None:
        """Compares copies of variables, by name, with the checksums that are held of them.

        Raises:
            ResourceError: they are of something else.
        """
        held = dict(zip(self._names, self._first_of(self._held).numpy().tolist(), strict=True))
        wrong = [name for name, array in arrays.items() if bundle.checksum(array) != held[name]]
        if wrong:
            rows = np.asarray([[self._names.index(wrong[0]), 1, len(wrong), 1]])
            raise self._error(rows, self._progress.step, self._leave_proven())

    def _first_of(self, variable: tf.Variable) -> tf.Tensor:
        return tf.identity(self._strategy.experimental_local_results(variable)[0])

    def _found(self) -> list[int]:
        """Returns of each replica here its worst variable, elements, variables, and if it lasts."""
        local, rows = self._strategy.experimental_local_results, list[int]()
        for at, changed in enumerate(local(self._changed)):
            results = [[local(part)[at] for part in kept] for kept in self._results]
            two, three, last = (
                np.asarray(_differing(results[one], results[other], self._tolerance))
                for one, other in ((0, 1), (0, 2), (1, 2))
            )
            # Gradients that are computed from changed weights differ as a consequence.
            own = np.asarray(changed[0] != 0)
            counts = np.concatenate([own, two * (not own.any())])
            lasts = np.any(changed[1]) or (two.any() and three.any() and last.any())
            worst = np.argmax(counts)
            rows += [int(worst), int(counts[worst]), int(np.count_nonzero(counts)), int(lasts)]
        return rows

    def _leave_proven(self) -> int:
        """Deletes checkpoints that no verified step vouches for, or they would be gone on from.

        Returns:
            The step of the newest that one does vouch for; -1 for none, where all are left.
        """
        self._saver.wait()
        paths = bundle.newest_first(storage.join(self._run.output, checkpoints.FOLDER))
        upto = [path for path in paths if bundle.step_of(path) <= self._progress.verified_step]
        proven = [path for path in upto if not bundle.damage_of(path)]
        self._run.guard()
        for path in paths[: len(paths) - len(upto)] if proven else []:
            bundle.discard(f"{path}.index")
        return bundle.step_of(proven[0]) if proven else -1

    def _error(self, rows: npt.NDArray[np.int64], step: int, newest: int) -> JobError:
        runtime, state, found = self._run.runtime, len(self._names), []
        for replica, (place, elements, variables, _) in enumerate(rows.tolist()):
            if elements:
                worker = replica * runtime.topology.workers // runtime.replicas
                host = runtime.peers.names([worker])[0] if runtime.peers.hosts else ""
                name = [*self._names, *self._learning][place]
                what = f"{elements} elements of the gradient of {name} differ when computed twice"
                if place < state:
                    what = f"{name} is not in memory what the last update left"
                more = f", and {variables - 1} more variables" if variables > 1 else ""
                found.append(f"{what}{more}, on replica {replica} ({host or socket.gethostname()})")
        path = bundle.path_of(storage.join(self._run.output, checkpoints.FOLDER), newest)
        after = f"goes on from {path}, the last one that a verified step vouches for"
        if newest < 0:
            after = "goes on from the newest checkpoint, for which no verified step vouches"
        text = f"silent corruption in step {step}: {'; '.join(found)}"
        if rows[:, 3].any():
            return ResourceError(
                f"{text}; a lasting fault, the same when repeated: replace this machine; then the "
                f"same command {after}"
            )
        return StoppedError(
            f"{text}; a transient fault, gone when repeated: the same command {after}; replace "
            "this machine if it is named again"
        )


def _own(*shape: int) -> tf.Variable:
    """Returns integers that each replica has for itself."""
    return tf.Variable(
        tf.zeros(shape, tf.int64),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
    )


def _over_replicas(number: tf.Tensor) -> tf.Tensor:
    replica = tf.distribute.get_replica_context()
    return tf.cast(replica.all_reduce("SUM", tf.cast(number, tf.float32)), tf.int64)


def _checksum(variable: tf.Variable) -> tf.Tensor:
    """Returns what `bundle.checksum` returns, of a variable of 4 or 8 bytes an element."""
    flat = tf.reshape(variable, [-1])
    if flat.dtype.size == 4:
        flat = tf.reshape(tf.pad(flat, [[0, flat.shape[0] % 2]]), [-1, 2])
    return tf.reduce_sum(tf.bitcast(flat, tf.int64))


def _differing(ones: list[tf.Tensor], others: list[tf.Tensor], tolerance: float) -> tf.Tensor:
    """Counts the elements that differ in pairs of float32 tensors, int64 [pairs].

    With a tolerance, by more than this share of the largest (to which an infinity is never near),
    unless both have overflowed, in which case the step is skipped anyway; else by any bit.
    """
    counts = []
    for one, other in zip(ones, others, strict=True):
        # As 16-bit integers, which a GPU compares.
        apart = tf.reduce_any(tf.bitcast(one, tf.int16) != tf.bitcast(other, tf.int16), axis=-1)
        if tolerance:
            largest = tf.minimum(tf.reduce_max([tf.abs(one), tf.abs(other)]), one.dtype.max)
            whole = [tf.reduce_all(tf.math.is_finite(part)) for part in (one, other)]
            apart &= (whole[0] | whole[1]) & ~(tf.abs(one - other) <= tolerance * largest)
        counts.append(tf.math.count_nonzero(apart))
    return tf.stack(counts)
