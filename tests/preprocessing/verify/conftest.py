# SPDX-License-Identifier: MIT
"""A finished data set, and ways to spoil a copy of it in one place only."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable

import cv2
import pytest

from preprocessing import phantom, pipeline
from preprocessing.contract import schema
from preprocessing.contract.files import tfrecord
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.contract.schema import Record

SIZE = 32


@dataclasses.dataclass
class Finished:
    """A copy of a data set of 60 pictures, one pair of them identical."""

    folder: pathlib.Path

    @property
    def manifest(self) -> dict:
        return json.loads((self.folder / "manifest.json").read_text())

    def change_manifest(self, change: Callable[[dict], object]) -> None:
        values = self.manifest
        change(values)
        (self.folder / "manifest.json").write_text(json.dumps(values))

    def shard(self, split: str = "train", at: int = 0) -> str:
        return self.manifest["splits"][split]["shards"][at]["name"]

    def records(self, name: str) -> list[Record]:
        content = (self.folder / name).read_bytes()
        return [schema.decode(serialized) for serialized in tfrecord.read(content)]

    def rewrite(self, name: str, records: list[Record | bytes]) -> None:
        """Replaces a shard; the manifest agrees about its bytes, checksum and number."""
        serialized = [r if isinstance(r, bytes) else schema.encode(r) for r in records]
        content = b"".join(piece for item in serialized for piece in tfrecord.framed(item))
        (self.folder / name).write_bytes(content)
        stated = {
            "examples": len(records),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }

        def change(values: dict) -> None:
            for split in values["splits"].values():
                for shard in split["shards"]:
                    if shard["name"] == name:
                        shard |= stated

        self.change_manifest(change)

    def change_record(self, name: str, at: int, **changes: object) -> Record:
        records = self.records(name)
        records[at] = dataclasses.replace(records[at], **changes)
        self.rewrite(name, records)
        return records[at]


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("phantom")
    source = folder / "source"
    phantom.write(str(source), images=60, seed=3, prevalence="raised", size_px=64, processes=1)
    pictures = sorted(source.rglob("*.png"))
    cv2.imwrite(str(pictures[-1]), cv2.imread(str(pictures[0]), cv2.IMREAD_GRAYSCALE))
    pictures[1].write_bytes(b"no picture")
    inputs = Inputs(
        images=str(source),
        labels=str(source / "Data_Entry_2017_v2020.csv"),
        train_val_list=str(source / "train_val_list.txt"),
        test_list=str(source / "test_list.txt"),
        boxes=str(source / "BBox_List_2017.csv"),
        output=str(folder / "data"),
    )
    config = Config(
        stored_size=SIZE,
        examples_per_shard=12,
        validation_fraction=0.3,
        max_rejected_fraction=0.05,
    )
    pipeline.run(inputs, config, [])
    return folder / "data"


@pytest.fixture
def finished(_made: pathlib.Path, tmp_path: pathlib.Path) -> Finished:
    shutil.copytree(_made, tmp_path / "data")
    return Finished(tmp_path / "data")
