# SPDX-License-Identifier: MIT
"""A small ChestX-ray14 tree of raw files, and the command lines that work on it."""

import os
import pathlib
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Sex,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
FINDINGS = ("Cardiomegaly", "Effusion", "Mass", "Pneumothorax")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )


def write_raw_tree(folder: pathlib.Path, *, patients: int = 20, images: int = 3) -> None:
    """Writes pictures, label file and lists as ChestX-ray14 ships them; each fifth is RGBA."""
    generator, drawn = np.random.default_rng(4), random.Random(4)
    rows, lists = [HEADER], {"train_val_list.txt": [], "test_list.txt": []}
    for patient in range(1, patients + 1):
        for number in range(images):
            name = f"{patient:08d}_{number:03d}.png"
            named = [finding for finding in FINDINGS if drawn.random() < 0.4]
            if patient % 9 == 0 and number == 0:
                named = list(FINDINGS)
            path = folder / f"images_{1 + patient % 3:03d}" / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = _picture(named, generator)
            if len(rows) % 5 == 0:
                picture = np.dstack([picture] * 3 + [np.full_like(picture, 255)])
            assert cv2.imwrite(str(path), picture)
            labels = "|".join(named) or "No Finding"
            view = drawn.choice(["AP", "PA"])
            sex = "FM"[patient % 2]
            rows.append(f"{name},{labels},{number},{patient},57,{sex},{view},96,96,0.143,0.143")
            lists["test_list.txt" if patient % 4 == 0 else "train_val_list.txt"].append(name)
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join(rows) + "\n")
    for name, names in lists.items():
        (folder / name).write_text("\n".join(names) + "\n")


def _picture(named: list[str], generator: np.random.Generator) -> np.ndarray:
    picture = generator.integers(20, 80, (96, 96)).astype(np.uint8)
    for at, finding in enumerate(FINDINGS):
        if finding in named:
            row, column = divmod(at, 2)
            picture[8 + 44 * row : 40 + 44 * row, 8 + 44 * column : 40 + 44 * column] += 120
    return picture


Once = Callable[[str, Callable[[pathlib.Path], object]], pathlib.Path]


@pytest.fixture(scope="session")
def raw_tree(once: Once) -> pathlib.Path:
    return once("raw_tree", write_raw_tree)


def flags_for_tree(tree: pathlib.Path, output: str, *, stored_size: int = 40) -> list[str]:
    """Returns the preprocessing flags for a tree of `write_raw_tree`."""
    return [
        "--source=nih",
        f"--images={tree}",
        f"--labels={tree}/Data_Entry_2017_v2020.csv",
        f"--train_val_list={tree}/train_val_list.txt",
        f"--test_list={tree}/test_list.txt",
        f"--output={output}",
        f"--config.stored_size={stored_size}",
        "--config.validation_fraction=0.3",
        "--config.examples_per_shard=8",
    ]


@pytest.fixture(scope="session")
def preprocess_flags(raw_tree: pathlib.Path) -> Callable[[str], list[str]]:
    return lambda output: flags_for_tree(raw_tree, output)


@pytest.fixture(scope="session")
def make_data(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Makes a data set of as many patients, three pictures each, as are asked for."""

    def make(*, patients: int, stored_size: int) -> str:
        folder = tmp_path_factory.mktemp(f"patients-{patients}")
        write_raw_tree(folder / "raw", patients=patients)
        output = str(folder / "data")
        flags = flags_for_tree(folder / "raw", output, stored_size=stored_size)
        done = run("preprocessing.task", *flags)
        assert done.returncode == 0, done.stderr
        return output

    return make


@pytest.fixture(scope="session")
def larger_preprocessed(make_data: Callable[..., str]) -> str:
    """A data set of 60 patients and pictures of 72 pixels.

    At 32 pixels the last layers see one place a picture, and what they normalise by six numbers
    makes rounding errors grow: no data to compare two ways of adding numbers up on.
    """
    return make_data(patients=60, stored_size=72)


@pytest.fixture(scope="session")
def preprocessed(preprocess_flags: Callable[[str], list[str]], once: Once) -> str:
    """The data set that the preprocessing command makes of the raw tree."""

    def fill(folder: pathlib.Path) -> None:
        done = run("preprocessing.task", *preprocess_flags(str(folder / "data")))
        assert done.returncode == 0, done.stderr

    return str(once("preprocessed", fill) / "data")


@pytest.fixture(scope="session")
def train_flags(preprocessed: str) -> Callable[..., list[str]]:
    """Returns flags of the trainer; keywords are settings with "__" for the dot."""

    def flags(output: str, data: str = preprocessed, **settings: Any) -> list[str]:
        given = {
            "model__weights": "none",
            "model__hidden_units": 8,
            "model__batch_norm_momentum": 0.9,
            "data__image_size": 32,
            "data__global_batch_size": 4,
            "optimizer__learning_rate": 1e-3,
            "evaluation__bootstrap_resamples": 20,
            **settings,
        }
        changes = [f"--config.{name.replace('__', '.')}={value}" for name, value in given.items()]
        return [f"--data={data}", f"--output={output}", *changes]

    return flags


@pytest.fixture(scope="session")
def run_module() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run


@pytest.fixture(scope="session")
def start_trainer() -> Callable[[list[str]], subprocess.Popen[str]]:
    """Starts the trainer's command line and returns at once."""

    def start(flags: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer.task", *flags],
            env=environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start
