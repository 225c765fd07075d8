# SPDX-License-Identifier: MIT
"""A second engine, Dask with worker processes on this machine, makes the bytes of the first."""

import importlib.util
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
DASK = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("distributed") is None, reason="needs dask and distributed"
    ),
]


@pytest.fixture(scope="module")
def argv(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    home = tmp_path_factory.mktemp("dask")
    random = np.random.default_rng(3)
    rows = [_HEADER]
    names = [f"{patient:08d}_000.png" for patient in range(40)]
    for patient, name in enumerate(names):
        path = home / "images" / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), random.integers(0, 256, (48, 48), np.uint8))
        rows.append(
            f"{name},{'Mass' if patient % 2 else 'No Finding'},0,{patient},50,F,PA,48,48,1,1"
        )
    (home / "labels.csv").write_text("\n".join(rows))
    (home / "train_val.txt").write_text("\n".join(names[:30]))
    (home / "test.txt").write_text("\n".join(names[30:]))
    return [
        f"--images={home}/images",
        f"--labels={home}/labels.csv",
        f"--train_val_list={home}/train_val.txt",
        f"--test_list={home}/test.txt",
        "--config.stored_size=32",
        "--config.validation_fraction=0.3",
        "--config.examples_per_shard=5",
    ]


def _run(argv: list[str], output: pathlib.Path, *flags: str) -> dict[str, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "preprocessing.task", *argv, f"--output={output}", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in output.iterdir()}


def test_dask_makes_the_bytes_of_the_direct_runner(argv: list[str], tmp_path: pathlib.Path) -> None:
    direct = _run(argv, tmp_path / "direct", "--runner=DirectRunner")
    dask = _run(argv, tmp_path / "dask", DASK)
    assert len(direct) > 8  # shards, and the manifest
    assert sorted(dask) == sorted(direct)
    assert [name for name in direct if dask[name] != direct[name]] == []


def test_an_error_in_a_dask_worker_is_one_sentence(argv: list[str], tmp_path: pathlib.Path) -> None:
    _run(argv, tmp_path / "made", "--runner=DirectRunner")
    shard = min(path.name for path in (tmp_path / "made").glob("*.tfrecord"))
    (tmp_path / "out" / shard).mkdir(parents=True)
    command = [sys.executable, "-m", "preprocessing.task", *argv, f"--output={tmp_path}/out", DASK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 64, done.stderr
    # Dask's nannies may have something to say, too, about workers that end slowly.
    lines = done.stderr.splitlines()
    (sentence,) = [line for line in lines if line.startswith("cxr14-preprocess: ")]
    start = f"cxr14-preprocess: {tmp_path}/out/{shard} cannot be used (Is a directory): "
    assert sentence.startswith(start)
