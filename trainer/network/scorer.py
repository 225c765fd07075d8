# SPDX-License-Identifier: MIT
"""Scores every example of a split exactly once, under any strategy."""

import itertools

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from absl import logging

from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process.progress import Progress
from trainer.config import DataConfig
from trainer.data import dataset
from trainer.distribution.runtime import Runtime
from trainer.monitoring import moments
from trainer.monitoring.pulse import PULSE
from trainer.network import views as views_of
from trainer.predictions.table import Predictions


class Scorer:
    """Scores splits with a network, whose weights may change between calls.

    Evaluation scores by the views that `evaluation.views` names; validation while training, which
    only compares networks, by the centre alone.

    Args:
        runtime: where to compute.
        network: uint8 [b, size, size] -> logits [b, findings].
        folder: of the data set.
        manifest: of the data set.
        data: how stored pictures become model inputs.
        global_batch: examples per step over all replicas.
        views: of each picture, whose scores are averaged: "one", "flip" or "ten_crop".
    """

    def __init__(
        self,
        runtime: Runtime,
        network: keras.Model,
        *,
        folder: str,
        manifest: Manifest,
        data: DataConfig,
        global_batch: int,
        views: str = "one",
    ) -> None:
        if views != "one" and not data.flip:
            logging.warning(
                f"evaluation.views={views} averages mirror images, which training never saw "
                "(data.flip=false)"
            )
        self._strategy = runtime.strategy
        self._folder, self._manifest, self._global_batch = folder, manifest, global_batch
        self._truths: dict[str, dataset.Truth] = {}
        strategy = runtime.strategy

        def replica_step(batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            scores, *_ = views_of.score(network, batch["pixels"], data=data, views=views)
            if strategy.num_replicas_in_sync == 1:
                return batch["index"], scores
            replica = tf.distribute.get_replica_context()
            # The identity gives the index a device, without which it cannot be gathered.
            index = tf.identity(batch["index"])

            def gather(own: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
                return replica.all_gather(own[0], axis=0), replica.all_gather(own[1], axis=0)

            return moments.summed((index, scores), gather)

        @tf.function
        def step(batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            # Gathered, every replica has all of them: the first one's will do.
            index, scores = strategy.run(replica_step, args=(batch,))
            first = strategy.experimental_local_results
            return first(index)[0], first(scores)[0]

        self._step = step

    def score(self, split: str) -> npt.NDArray[np.float32]:
        """Returns float32 [n, findings] in the order of the split's shards.

        Raises:
            RuntimeError: an example was scored twice or not at all, which is a defect.
        """
        examples = self._manifest.splits[split].examples
        scores = np.zeros([examples, len(self._manifest.findings)], np.float32)
        times = np.zeros([examples], np.int64)
        batches = dataset.evaluation_batches(
            self._strategy,
            folder=self._folder,
            manifest=self._manifest,
            split=split,
            global_batch=self._global_batch,
        )
        all_of_it = itertools.islice(batches, -(-examples // self._global_batch))
        with Progress(f"scoring {split}", examples, unit="images") as progress:
            for batch in PULSE.over(all_of_it):
                index, batch_scores = (part.numpy() for part in self._step(batch))
                real = index >= 0
                scores[index[real]] = batch_scores[real]
                np.add.at(times, index[real], 1)
                progress.reach(int(times.sum()))
        if not (times == 1).all():
            raise RuntimeError(f"{(times != 1).sum()} examples of {split} were not scored once")
        return scores

    def predictions(self, split: str) -> Predictions:
        """Returns the scores of a split beside what is known of it."""
        truth = self.truth(split)
        labels = np.where(truth.targets >= 0, truth.targets, np.nan).astype(np.float32)
        return Predictions(
            ids=truth.ids,
            patients=truth.patients,
            splits=np.full(len(truth.ids), split),
            labels=labels,
            scores=self.score(split),
            findings=tuple(self._manifest.findings),
        )

    def truth(self, split: str) -> dataset.Truth:
        """Returns ids, patients and targets of a split, read once."""
        if split not in self._truths:
            self._truths[split] = dataset.read_truth(self._folder, self._manifest, split)
        return self._truths[split]
