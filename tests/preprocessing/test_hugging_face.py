# SPDX-License-Identifier: MIT
"""Copies of ChestX-ray14 at Hugging Face come to the official split, as archives or as parquet.

Layouts are those of alkzar90/NIH-Chest-X-ray-dataset (its README and loading script) and of
timm/nih-chest-xray-14 (columns as users' scripts read them).
"""

import zipfile
from typing import Any

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from preprocessing import index, locate, task
from preprocessing.contract import manifest, schema
from preprocessing.contract.archives import archives
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.invocation import flags
from preprocessing.contract.pictures import image
from preprocessing.contract.radiographs import Recipe
from preprocessing.sources import places
from tests.preprocessing import public_sets


def test_archives_beside_the_label_file_are_read_as_they_are(tree: Any) -> None:
    folder = tree.folder / "data" / "images"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "images_001.zip", "w") as packed:
        for name in tree.names:
            packed.write(tree.find(name), f"images/{name}")
    argv = tree.argv(f"--images={folder}", "--config=preset:nih")
    inputs, config, _ = flags.parse(argv)
    read = index.read(inputs, config)
    found = locate.look(read, inputs)
    (staged,) = locate.stage_tasks(read, inputs, found, Recipe(32, "png"))
    wanted = places.Wanted(row.id for row in read.rows)
    members = archives.members(staged.archive, lambda name: False)
    assert {wanted.find(member.name) for member in members} == {*tree.names}


def test_parquet_files_come_to_the_official_split(
    tree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tree.folder / "data"
    data.mkdir()
    for at, split in enumerate(("train", "test")):
        names = [name for name in tree.names if (int(name[:8]) > 14) == bool(at)]
        films = [tree.find(name).read_bytes() for name in names]
        columns = {
            "image": [{"bytes": film, "path": None} for film in films],
            "image_id": [name.removesuffix(".png") for name in names],
            "labels": [[3, 5]] * len(names),
            "label_names": [["Effusion", "Mass"]] * len(names),
            "patient_id": [int(name[:8]) for name in names],
        }
        table = pyarrow.table(columns)
        path = data / f"{split}-00000-of-00001.parquet"
        pyarrow.parquet.write_table(table, path, row_group_size=3)
    monkeypatch.chdir(data)
    # What the settings' comment says is run as it stands.
    text = (public_sets.CONFIGS / "nih_parquet.yaml").read_text()
    program = text.partition("<<'END'\n")[2].partition("#   END")[0]
    exec("".join(line.removeprefix("#   ") for line in program.splitlines(keepends=True)), {})
    argv = public_sets.command("nih_parquet", tree.folder)
    more = ("--config.stored_size=32", "--config.validation_fraction=0.3")
    assert task.main([*argv, *more]) == 0
    made = manifest.read(str(tree.folder / "out"))
    assert {name: split.examples for name, split in made.splits.items()}["test"] == 12
    assert sum(split.examples for split in made.splits.values()) == len(tree.names)
    for path in made.splits["test"].paths(str(tree.folder / "out")):
        for record in map(schema.decode, tfrecord.read(storage.read_bytes(path))):
            own = cv2.imread(str(tree.find(record.id)), cv2.IMREAD_GRAYSCALE)
            stored = image.decode_stored(record.image, 32, "png")
            np.testing.assert_array_equal(stored, image.resize(own, 32))
