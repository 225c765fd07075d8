# SPDX-License-Identifier: MIT
"""Decides where a run executes (a pure choice) and connects to it (the only side effects)."""

import dataclasses
import faulthandler
import functools
import os
import random
from collections.abc import Mapping

import keras
import tensorflow as tf
from tensorflow.python.distribute.cross_device_utils import CollectiveReplicaLauncher

from preprocessing.contract.errors import ConfigError
from trainer.config import RuntimeConfig
from trainer.distribution import cluster, rendezvous
from trainer.distribution.agreement import Agreement
from trainer.distribution.cluster import Cluster

_FORMING_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Topology:
    """Which process of the run this is, and on which devices it works.

    Attributes:
        strategy: one_device | mirrored | multi_worker | tpu.
        workers: number of processes that train.
        worker: number of this process, 0 to workers - 1; the first is the chief.
        tpu: name or address of the TPU; empty for none.
    """

    strategy: str
    workers: int = 1
    worker: int = 0
    tpu: str = ""


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A connected topology."""

    topology: Topology
    strategy: tf.distribute.Strategy
    precision: str
    peers: Cluster = dataclasses.field(default_factory=Cluster)

    @property
    def replicas(self) -> int:
        """Number of replicas over all processes."""
        count: int = self.strategy.num_replicas_in_sync
        return count

    @property
    def is_chief(self) -> bool:
        """Whether this process writes checkpoints, reports and exports."""
        return self.topology.worker == 0

    @functools.cached_property
    def agreement(self) -> Agreement:
        """How the processes of the run agree."""
        return Agreement(self.strategy, self.topology.workers, self.peers)


def choose(settings: RuntimeConfig, environ: Mapping[str, str], gpus: int) -> Topology:
    """Chooses a topology from the settings and from what the machine says of itself.

    Args:
        settings: `strategy` by name or auto, `accelerator`, `tpu`, `logical_cpus`.
        environ: environment variables; `cluster.find` says which describe a cluster.
        gpus: number of GPUs that TensorFlow sees.

    Raises:
        ConfigError: what was asked for is not here, or no cluster can be read.
    """
    peers = cluster.find(environ)
    tpu = settings.tpu or environ.get("TPU_NAME", "")
    name = settings.strategy
    if name == "auto":
        name = _automatic(tpu, workers=len(peers.tasks), gpus=gpus, cpus=settings.logical_cpus)
    _check(name, settings, peers, gpus)
    if name == "tpu":
        if not tpu:
            raise ConfigError("runtime.strategy is tpu and no TPU is named: set runtime.tpu")
        return Topology("tpu", tpu=tpu)
    if name == "multi_worker":
        if not peers.hosts:
            raise ConfigError(
                "runtime.strategy is multi_worker and the environment names fewer than two tasks: "
                "start it by a job that sets TF_CONFIG or JobSet's variables, or use mirrored"
            )
        return Topology("multi_worker", workers=len(peers.tasks), worker=peers.number)
    return Topology(name)


def _check(name: str, settings: RuntimeConfig, peers: Cluster, gpus: int) -> None:
    if settings.accelerator == "gpu" and not gpus:
        raise ConfigError(
            "runtime.accelerator is gpu and TensorFlow sees none: check the driver, and that this "
            "is an image of FLAVOR=gpu or configs/requirements/gpu.txt is installed, since the "
            "default has no CUDA; or set runtime.accelerator=any"
        )
    if peers.hosts and name in ("one_device", "mirrored"):
        raise ConfigError(
            f"runtime.strategy is {name} and the environment names {len(peers.tasks)} processes, "
            "which would all write to one folder: use multi_worker or auto"
        )
    if settings.xla and settings.deterministic:
        raise ConfigError(
            "runtime.xla and runtime.deterministic exclude each other: XLA has no deterministic "
            "pooling; set one of them to false"
        )
    if settings.xla and name in ("mirrored", "multi_worker"):
        raise ConfigError(
            f"runtime.xla works on one device or a TPU, not with strategy {name}: set it to false"
        )
    if name == "mirrored" and not gpus and settings.logical_cpus < 2:
        raise ConfigError(
            "runtime.strategy is mirrored and TensorFlow sees no GPU: use one_device, or "
            "runtime.logical_cpus=2 to try mirrored on the CPU"
        )


def connect(settings: RuntimeConfig, environ: Mapping[str, str], seed: int) -> Runtime:
    """Sets up devices, seeds and precision; the first thing a process does with TensorFlow.

    Raises:
        ConfigError: see `choose`.
    """
    gpus = tf.config.list_physical_devices("GPU")
    peers = cluster.find(environ)
    topology = choose(settings, environ, len(gpus))
    for gpu in gpus:
        # Grown on demand, so that TensorBoard or a second small job may share the card.
        tf.config.experimental.set_memory_growth(gpu, True)
    if settings.logical_cpus > 1:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * settings.logical_cpus,
        )
    # For networks that are built outside a run; see `model.seeded`. TensorFlow's global seed stays
    # unset: with it a data set cannot be shuffled by a seed that is itself computed (of the epoch).
    random.seed(seed)
    # XLA refuses deterministic pooling, and repeats itself bit for bit on a CPU anyway.
    if settings.deterministic or not (gpus or topology.tpu or settings.xla):
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(settings.precision)
    strategy = _strategy(topology, settings, gpus=len(gpus), peers=peers)
    return Runtime(topology, strategy, settings.precision, peers)


def _strategy(
    topology: Topology, settings: RuntimeConfig, *, gpus: int, peers: Cluster
) -> tf.distribute.Strategy:
    if topology.strategy == "tpu":
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=topology.tpu)
        if topology.tpu != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    if topology.strategy == "multi_worker":
        return _multi_worker(settings, peers)
    if topology.strategy == "mirrored":
        kind, count = ("GPU", gpus) if gpus else ("CPU", settings.logical_cpus)
        return tf.distribute.MirroredStrategy([f"/{kind}:{at}" for at in range(count)])
    return tf.distribute.OneDeviceStrategy("/GPU:0" if gpus else "/CPU:0")


def _multi_worker(settings: RuntimeConfig, peers: Cluster) -> tf.distribute.Strategy:
    rendezvous.meet(peers, settings.formation_seconds)
    # TensorFlow's resolver reads this variable of the process, whatever the platform set.
    os.environ["TF_CONFIG"] = peers.to_tf_config()
    implementation = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=implementation(settings.communication.upper())
    )
    # With a new key for each reduction in each call, which is TensorFlow's way, each of two workers
    # of a ResNet-50 kept 13 MiB more a minute. Keys that are taken when a function is traced do,
    # where all processes trace alike and what is reduced keeps its shape, as here.
    CollectiveReplicaLauncher._prefer_unique_instance_key = False
    # All are there, so this takes a second; if one dies in that second, TensorFlow waits for it for
    # ever with the interpreter's lock held, and only a thread without Python can end the process.
    faulthandler.dump_traceback_later(_FORMING_SECONDS, exit=True)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    Agreement(strategy, len(peers.tasks), peers).barrier()
    faulthandler.cancel_dump_traceback_later()
    return strategy


def _automatic(tpu: str, *, workers: int, gpus: int, cpus: int) -> str:
    if tpu:
        return "tpu"
    if workers > 1:
        return "multi_worker"
    return "mirrored" if gpus > 1 or (cpus > 1 and not gpus) else "one_device"
