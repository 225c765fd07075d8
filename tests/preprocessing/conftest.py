# SPDX-License-Identifier: MIT
"""A ChestX-ray14 in miniature, with the label files and the nesting of the real one."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from preprocessing.contract.invocation.flags import Inputs

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_LABELS = ("No Finding", "Mass", "Effusion|Mass", "No Finding", "Hernia")


@dataclasses.dataclass
class Tree:
    """Paths of a miniature data set of 40 images of 20 patients, 6 of them in test."""

    folder: pathlib.Path
    names: list[str]

    @property
    def images(self) -> pathlib.Path:
        return self.folder / "images"

    @property
    def labels(self) -> pathlib.Path:
        return self.folder / "Data_Entry_2017_v2020.csv"

    @property
    def output(self) -> pathlib.Path:
        return self.folder / "out"

    def find(self, name: str) -> pathlib.Path:
        """Returns where an image lies."""
        (path,) = self.images.rglob(name)
        return path

    def inputs(self, **changes: object) -> Inputs:
        """Returns the inputs of a job on the tree."""
        inputs = Inputs(
            images=str(self.images),
            labels=str(self.labels),
            train_val_list=str(self.folder / "train_val_list.txt"),
            test_list=str(self.folder / "test_list.txt"),
            output=str(self.output),
        )
        return dataclasses.replace(inputs, **changes)

    def argv(self, *more: str) -> list[str]:
        """Returns a command line for the tree; a flag in `more` replaces the tree's own."""
        own = [
            f"--images={self.images}",
            f"--labels={self.labels}",
            f"--train_val_list={self.folder / 'train_val_list.txt'}",
            f"--test_list={self.folder / 'test_list.txt'}",
            f"--output={self.output}",
            "--config.stored_size=32",
            "--config.validation_fraction=0.3",
            "--config.examples_per_shard=8",
        ]
        names = {argument.partition("=")[0] for argument in more}
        kept = [argument for argument in own if argument.partition("=")[0] not in names]
        return ["cxr14-preprocess", *kept, *more]


@pytest.fixture
def unprivileged(tmp_path: pathlib.Path) -> Iterator[None]:
    """Runs a test as somebody to whom permissions apply, and to whom its folder belongs."""
    if os.geteuid():
        yield
        return
    nobody = 65534
    paths = [tmp_path, *tmp_path.rglob("*")]
    for path in paths:
        os.chown(path, nobody, nobody, follow_symlinks=False)
    shut = [p for p in tmp_path.parents if not p.stat().st_mode & 0o001]
    for path in shut:
        path.chmod(path.stat().st_mode | 0o011)
    os.setegid(nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        for path in shut:
            path.chmod(path.stat().st_mode & ~0o011)


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> Tree:
    random = np.random.default_rng(7)
    lines, lists = [HEADER], {"train_val_list.txt": [], "test_list.txt": []}
    for patient in range(1, 21):
        for follow_up in range(2):
            name = f"{patient:08d}_{follow_up:03d}.png"
            label = _LABELS[(patient + follow_up) % len(_LABELS)]
            lines.append(f"{name},{label},{follow_up},{patient},50,F,PA,2500,2048,0.1,0.1")
            lists["test_list.txt" if patient > 14 else "train_val_list.txt"].append(name)
            folder = tmp_path / "images" / f"images_{1 + patient % 2:03d}" / "images"
            folder.mkdir(parents=True, exist_ok=True)
            pixels = cv2.resize(random.integers(0, 256, (6, 6), np.uint8), (48, 48))
            cv2.imwrite(str(folder / name), pixels)
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")
    for file, names in lists.items():
        (tmp_path / file).write_text("\n".join(names))
    return Tree(tmp_path, [line.partition(",")[0] for line in lines[1:]])
