# SPDX-License-Identifier: MIT
"""The plan travels small and unchanged, and Beam's counters say what happened to each image."""

import hashlib
import pathlib

import apache_beam as beam
import cv2
import numpy as np
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to

from preprocessing import transforms
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.contract.manifest import Shard
from preprocessing.contract.radiographs import Recipe
from preprocessing.shards import shards
from preprocessing.sources.row import Row
from preprocessing.staging.staging import StageTask
from preprocessing.verify.shard_reading import ReadTask
from preprocessing.workers import worker_processes


def _plan(rows: list[Row], output: str, per_shard: int) -> list[shards.ShardTask]:
    return shards.plan(
        rows,
        split="train",
        output=output,
        recipe=Recipe(32, "png"),
        examples_per_shard=per_shard,
    )


def _row(number: int, staged: bool = False) -> Row:
    name = f"{number // 4:08d}_{number % 4:03d}.png"
    folder = f"gs://a-bucket-of-usual-length/chestxray14/images_{number // 10_000:03d}/images"
    return Row(
        id=name,
        patient=str(number // 4),
        targets=tuple(int((number * 37 + at) % 11 == 0) for at in range(14)),
        uri=f"{folder}/{name}",
        view=("AP", "PA")[number % 3 == 0],
        sex=("M", "F")[number % 5 == 0],
        age=number * 31 % 90,
        follow_up=number % 4,
        width=2048 + number * 7 % 900,
        height=2048 + number * 13 % 900,
        piece=(number * 30_011 % (64 << 20), 29_000 + number % 1999) if staged else (),
        digest=hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest() if staged else "",
        box_findings=(1,) if number % 100 == 0 else (),
        boxes=(0.219809, 0.534198, 0.084746, 0.077331) if number % 100 == 0 else (),
    )


def test_a_task_unpacks_as_it_was() -> None:
    (shard,) = _plan([_row(number) for number in range(0, 900, 100)], "gs://bucket/out", 512)
    recipe = Recipe(32, "raw", words={"thorax": "chest"})
    stage = StageTask("gs://bucket/out", "files-1", "", (("a", "b"),), "dicom", recipe, "")
    read = ReadTask("gs://bucket/out", "test", Shard("s", 1, 2, "3"), 14, 32, "png", "note")
    for task in (shard, stage, read):
        assert transforms.unpack(transforms.pack(task)) == task


@pytest.mark.parametrize("staged", [False, True])
def test_the_whole_of_chestxray14_fits_into_a_job_request(staged: bool) -> None:
    # Dataflow takes requests of 10 MB at most.
    assert len(CHESTXRAY14_FINDINGS) == 14
    tasks = _plan([_row(number, staged) for number in range(112_120)], "gs://bucket/out", 512)
    assert sum(len(task.rows) for task in tasks) == 112_120
    # Every fourth stands for its neighbours, which are as large: packing all takes seconds.
    assert 4 * sum(len(transforms.pack(task)) for task in tasks[::4]) < 10e6


def test_the_chain_writes_each_shard_and_counts_each_image(tmp_path: pathlib.Path) -> None:
    rows = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.eye(40, dtype=np.uint8) * number)
        rows.append(Row(path.name, str(number), (0,), uri=str(path)))
    (tmp_path / "0.png").write_bytes(b"text")
    (tmp_path / "1.png").unlink()
    tasks = _plan(rows, str(tmp_path / "out"), 2)
    pipeline = beam.Pipeline(runner="FnApiRunner")
    names = pipeline | transforms.spread(tasks, transforms.write_shard)
    assert_that(names, equal_to([task.name for task in tasks]))
    result = pipeline.run()
    result.wait_until_finish()
    counted = result.metrics().query(MetricsFilter().with_namespace(transforms.NAMESPACE))
    counts = {counter.key.metric.name: counter.committed for counter in counted["counters"]}
    assert {name: count for name, count in counts.items() if count} == {
        "records_written": 4,
        "rejected_not_a_picture": 1,
        "rejected_vanished": 1,
    }
    assert all((tmp_path / "out" / task.name).is_file() for task in tasks)


def test_every_worker_has_one_thread_of_opencv_and_ends_with_its_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watches: list[bool] = []
    monkeypatch.setattr(worker_processes, "watch_parent", lambda: watches.append(True))
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        transforms.Worker(transforms.write_shard).setup()
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(threads)
    assert watches == [True]
