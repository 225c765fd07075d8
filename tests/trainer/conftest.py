# SPDX-License-Identifier: MIT
"""A tiny data set, a tiny network and a finished run for the tests of the trainer.

TensorFlow is imported inside the functions: tests of the report and the launcher, which lie below
this folder too, run without it.
"""

import dataclasses
import json
import os
import pathlib
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import pytest

from preprocessing.contract import manifest as manifests
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest, Shard, Split
from preprocessing.contract.radiographs import Recipe
from preprocessing.shards import shards
from preprocessing.sources.row import Row
from trainer.config import Config

# Programs that tests start; collecting them for doctests would run them here.
collect_ignore = ["on_two_devices.py", "on_the_way_out.py", "on_two_processes.py", "on_xla.py"]

ROOT = pathlib.Path(__file__).parents[2]
FINDINGS = ("Mass", "Nodule", "Edema")
SIZES = {"train": 29, "validation": 11, "test": 9}
STORED = 40


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A preprocessed data set and what went into it.

    Attributes:
        folder: of the data set.
        raw: folder of the picture files it was made from.
        manifest: its manifest.
        pixels: id -> uint8 [40, 40].
        targets: id -> one number a finding.
    """

    folder: str
    raw: str
    manifest: Manifest
    pixels: dict[str, np.ndarray]
    targets: dict[str, tuple[int, ...]]


def write_data_set(base: str, encoding: str = "png") -> DataSet:
    """Writes pictures with visible findings, three a patient, some targets unknown."""
    folder, raw = f"{base}/data", f"{base}/raw"
    os.makedirs(raw)
    generator = np.random.default_rng(5)
    splits, pixels, targets = {}, {}, {}
    for split, count in SIZES.items():
        rows = []
        for at in range(count):
            row = _row(f"{raw}/{len(pixels):08d}_000.png", f"{split}-{at // 3}", at, generator)
            pixels[row.id] = _picture(row.targets, generator)
            targets[row.id] = row.targets
            assert cv2.imwrite(row.uri, pixels[row.id])
            rows.append(row)
        splits[split] = _write_split(rows, split, folder, encoding)
    manifest = Manifest(
        schema_version=1,
        findings=list(FINDINGS),
        stored_size=STORED,
        encoding=encoding,
        splits=splits,
        official_split=False,
        list_hashes={},
        counters={},
        parameters={},
        sources={},
        writer="test",
    )
    manifests.write(folder, manifest)
    return DataSet(folder, raw, manifest, pixels, targets)


def _row(path: str, patient: str, at: int, generator: np.random.Generator) -> Row:
    drawn = [int(value) for value in generator.integers(0, 2, len(FINDINGS))]
    drawn = [[1] * 3, [0] * 3][at] if at < 2 else drawn
    if at % 7 == 3:
        drawn[2] = -1
    # On the test split alone, as in ChestX-ray14: what `_picture` paints.
    boxed = [name for name, target in enumerate(drawn) if target == 1 and "test" in patient]
    return Row(
        id=os.path.basename(path),
        patient=patient,
        targets=tuple(drawn),
        uri=path,
        box_findings=tuple(boxed),
        boxes=tuple(share / STORED for at in boxed for share in (6, 4 + 12 * at, 24, 10)),
    )


def _picture(targets: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    picture = generator.integers(0, 60, (STORED, STORED)).astype(np.uint8)
    for at, target in enumerate(targets):
        if target == 1:
            picture[4 + 12 * at : 14 + 12 * at, 6:30] += 150
    return picture


def _write_split(rows: list[Row], split: str, folder: str, encoding: str) -> Split:
    tasks = shards.plan(
        rows,
        split=split,
        output=folder,
        recipe=Recipe(STORED, encoding),
        examples_per_shard=8,
    )
    notes = {task.name: shards.write(task) for task in tasks}
    columns = dict(zip(FINDINGS, zip(*(row.targets for row in rows), strict=True), strict=True))
    positives = {name: sum(value == 1 for value in column) for name, column in columns.items()}
    known = {name: sum(value != -1 for value in column) for name, column in columns.items()}
    for task in tasks:
        storage.delete(shards.note_path(task))
    return Split(
        examples=len(rows),
        patients=len({row.patient for row in rows}),
        positives=positives,
        known=known,
        prevalence={name: positives[name] / known[name] for name in FINDINGS},
        shards=[
            Shard(name, note.examples, note.bytes, note.sha256) for name, note in notes.items()
        ],
    )


def small_config() -> Config:
    """Settings of a run that takes seconds."""
    config = Config()
    config.data.global_batch_size = 4
    config.data.image_size = 32
    config.data.shuffle_buffer = 6
    config.data.open_shards = 2
    config.model.weights = "none"
    config.model.hidden_units = 8
    config.optimizer.learning_rate = 3e-3
    config.optimizer.schedule = "constant"
    config.train.epochs = 2
    config.train.steps_per_call = 3
    config.train.checkpoint_every_steps = 0
    config.train.log_every_steps = 2
    config.evaluation.bootstrap_resamples = 20
    config.evaluation.gallery = 0
    return config


def arguments(data: str, output: str, **settings: Any) -> list[str]:
    """Returns a command line with the settings of `small_config` but one epoch.

    `settings` are further ones, with "__" for the dot.
    """
    given = {
        "data.global_batch_size": 4,
        "data.image_size": 32,
        "model.weights": "none",
        "model.hidden_units": 8,
        "optimizer.schedule": "constant",
        "train.epochs": 1,
        "train.log_every_steps": 2,
        "evaluation.bootstrap_resamples": 20,
        "evaluation.gallery": 0,
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    flags = [f"--config.{name}={value}" for name, value in given.items()]
    return ["cxr14-train", f"--data={data}", f"--output={output}", *flags]


def tiny_model(*, seed: int = 0, dropout: float = 0.25, hidden: int = 8) -> Any:
    """Returns a `trainer.network.model.Model` of two dense layers, without batch statistics."""
    import keras

    from trainer.network.model import Model

    random.seed(seed)
    pixels = keras.Input([32, 32], dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255, dtype="float32")(pixels)
    flat = keras.layers.Flatten()(keras.layers.AveragePooling1D(2)(scaled))
    # Named, since a checkpoint tells variables by their names.
    dense = keras.layers.Dense(hidden, activation="tanh", name="hidden")
    features = keras.Model(pixels, dense(flat))
    inner = keras.Input([hidden])
    logits = keras.layers.Dense(len(FINDINGS), dtype="float32", name="logits")
    head = keras.Model(inner, logits(inner))
    network = keras.Model(pixels, logits(features.output))
    return Model(network=network, features=features, head=head, backbone=features, dropout=dropout)


Once = Callable[[str, Callable[[pathlib.Path], object]], pathlib.Path]


@pytest.fixture(scope="session")
def data_set(once: Once) -> DataSet:
    def fill(folder: pathlib.Path) -> None:
        made = write_data_set(str(folder))
        (folder / "content.pickle").write_bytes(pickle.dumps((made.pixels, made.targets)))

    folder = once("data_set", fill)
    content = pickle.loads((folder / "content.pickle").read_bytes())
    data = str(folder / "data")
    return DataSet(data, str(folder / "raw"), manifests.read(data), *content)


@pytest.fixture(scope="session")
def raw_data_set(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """The same data set with its pictures stored as raw pixels."""
    return write_data_set(str(tmp_path_factory.mktemp("raw_data_set")), "raw")


@pytest.fixture(scope="session")
def one_device() -> Any:
    """The runtime of one device, connected as a run would; bit-identical repeats on any."""
    from trainer.config import RuntimeConfig
    from trainer.distribution import runtime

    return runtime.connect(RuntimeConfig(deterministic=True), {}, seed=0)


@pytest.fixture(scope="session")
def gpu() -> None:
    """Skips where there is no GPU; fails there with CXR14_EXPECT_GPU=1."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        if os.environ.get("CXR14_EXPECT_GPU"):
            pytest.fail("CXR14_EXPECT_GPU is set and TensorFlow sees no GPU")
        pytest.skip("TensorFlow sees no GPU here")
    # Sums of products of 10 bits of mantissa could not be compared to 1e-5.
    tf.config.experimental.enable_tensor_float_32_execution(False)


@pytest.fixture(scope="session", params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    """Where a test computes: `pytest -m gpu` does on a GPU what everybody else does on a CPU."""
    if request.param == "gpu":
        request.getfixturevalue("gpu")
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def on_device(device: str, one_device: Any) -> Any:
    """The runtime of that device."""
    import tensorflow as tf

    strategy = tf.distribute.OneDeviceStrategy(f"/{device.upper()}:0")
    return dataclasses.replace(one_device, strategy=strategy)


@pytest.fixture(scope="session")
def resnet(one_device: Any) -> Any:
    """The real network with random weights, 32 px, three findings; not to be changed."""
    from trainer.network import model

    return model.build(small_config().model, image_size=32, findings=len(FINDINGS))


@pytest.fixture
def precision() -> Iterator[Callable[[str], None]]:
    """Sets Keras's precision for one test."""
    import keras

    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def fresh_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a new process that sees the packages and this file's folder."""

    def run(
        *arguments: str, environ: Mapping[str, str] | None = None, cwd: str = str(ROOT)
    ) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "trainer")])
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", **(environ or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=400,
        )

    return run


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """The output folder of a whole run and the command line that made it."""

    output: str
    argv: list[str]


@pytest.fixture(scope="session")
def finished_run(
    data_set: DataSet, once: Once, tmp_path_factory: pytest.TempPathFactory
) -> FinishedRun:
    """A run of every stage through the command line's entry point, with the small backbone."""
    from cxr14_small_backbone import used

    from trainer import task

    wanted = {"evaluation__gallery": 1, "evaluation__localisation": True}

    def fill(folder: pathlib.Path) -> None:
        with used():
            assert task.main(arguments(data_set.folder, str(folder / "out"), **wanted)) == 0

    # A copy for each process, as a run writes into its folder that it is at work there.
    output = str(tmp_path_factory.mktemp("run") / "out")
    shutil.copytree(once("finished_run", fill) / "out", output)
    return FinishedRun(output, arguments(data_set.folder, output, **wanted))


@pytest.fixture(scope="session")
def two_devices(device: str, fresh_python: Callable[..., Any], once: Once) -> dict[str, Any]:
    """What `on_two_devices.py` measured on two devices of a kind."""
    program = str(ROOT / "tests" / "trainer" / "on_two_devices.py")
    two = ",".join(os.environ.get("CUDA_VISIBLE_DEVICES", "0,1").split(",")[:2])

    def fill(folder: pathlib.Path) -> None:
        seen = {"CUDA_VISIBLE_DEVICES": two if device == "gpu" else "-1"}
        done = fresh_python(program, device, environ=seen)
        assert done.returncode == 0, done.stderr
        (folder / "measured.json").write_text(done.stdout)

    made = once(f"two_devices-{device}", fill) / "measured.json"
    result: dict[str, Any] = json.loads(made.read_text())
    return result


@pytest.fixture(scope="session")
def make_tiny_model(one_device: Any) -> Callable[..., Any]:
    return tiny_model


@pytest.fixture(scope="session")
def small_settings() -> Callable[[], Config]:
    return small_config


@pytest.fixture(scope="session")
def command_line() -> Callable[..., list[str]]:
    return arguments
