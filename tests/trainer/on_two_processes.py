# SPDX-License-Identifier: MIT
"""Reduces numbers between two processes, call after call, and prints what came out as JSON.

A program of its own because a strategy over several processes is set up once in a process.
"""

import json
import os

import tensorflow as tf

from trainer.config import RuntimeConfig
from trainer.distribution import runtime
from trainer.distribution.runtime import Runtime

CALLS, STEPS = 60, 3


def keys_drawn(running: Runtime) -> int:
    """Returns how many keys TensorFlow has given to reductions so far."""
    tables = running.strategy.extended._collective_keys._instance_key_table
    return sum(sum(table.values()) for table in tables.values())


def main() -> None:
    """Prints one line of JSON."""
    settings = RuntimeConfig(strategy="multi_worker", formation_seconds=60)
    running = runtime.connect(settings, os.environ, 0)
    own = float(running.topology.worker + 1)

    @tf.function
    def reduced(call: tf.Tensor) -> tf.Tensor:
        def replica() -> tf.Tensor:
            replica = tf.distribute.get_replica_context()
            one, two = replica.all_reduce(
                "SUM", [tf.fill([50_000], own * call), tf.constant([own])]
            )
            return replica.all_reduce("SUM", one[-1] * own) + two[0]

        total = 0.0
        for _ in tf.range(STEPS):
            local = running.strategy.run(replica)
            total += running.strategy.experimental_local_results(local)[0]
        return total

    sums, drawn = [], []
    for call in range(CALLS):
        sums.append(float(reduced(tf.constant(float(call)))))
        drawn.append(keys_drawn(running))
    print(json.dumps({"sums": sums, "drawn": drawn}))


if __name__ == "__main__":
    main()
