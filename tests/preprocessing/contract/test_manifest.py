# SPDX-License-Identifier: MIT
"""The manifest comes back as it was written, and only a whole one of this version comes back."""

import dataclasses
import json
import pathlib

import pytest

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import DataError
from preprocessing.contract.manifest import Manifest, Shard, Split
from preprocessing.contract.schema import SCHEMA_VERSION


def _manifest() -> Manifest:
    split = Split(
        examples=3,
        patients=2,
        positives={"Mass": 1},
        known={"Mass": 3},
        prevalence={"Mass": 1 / 3},
        shards=[Shard("train-00000-of-00001.tfrecord", 3, 100, "a" * 64)],
    )
    return Manifest(
        schema_version=SCHEMA_VERSION,
        findings=["Mass"],
        stored_size=256,
        encoding="png",
        splits=dict.fromkeys(manifests.SPLITS, split),
        official_split=False,
        list_hashes={"test": "b" * 64},
        counters={"records_written": 9},
        parameters={"split_salt": "Größe", "findings": ["Mass"]},
        sources={"labels": "c" * 64},
        writer="test",
    )


def _damaged(path: pathlib.Path, **changes: object) -> None:
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not ...}))


def test_a_manifest_reads_back_equal(tmp_path: pathlib.Path) -> None:
    manifests.write(str(tmp_path), _manifest())
    assert manifests.read(str(tmp_path)) == _manifest()


def test_shards_are_named_split_by_split_with_their_paths() -> None:
    manifest = _manifest()
    assert len(manifest.shards) == len(manifests.SPLITS)
    (path,) = manifest.splits["train"].paths("gs://bucket/data/")
    assert path == f"gs://bucket/data/{manifest.shards[0].name}"


def test_identity_is_of_the_content(tmp_path: pathlib.Path) -> None:
    manifests.write(str(tmp_path), _manifest())
    assert manifests.read(str(tmp_path)).identity == _manifest().identity
    assert dataclasses.replace(_manifest(), stored_size=512).identity != _manifest().identity


def test_a_folder_without_manifest_says_that_preprocessing_is_not_finished(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(DataError, match=r"holds no manifest\.json.*run cxr14-preprocess"):
        manifests.read(str(tmp_path))


def test_another_schema_version_is_named_beside_the_one_that_is_read(
    tmp_path: pathlib.Path,
) -> None:
    manifests.write(str(tmp_path), _manifest())
    _damaged(tmp_path / "manifest.json", schema_version=99, counters=...)
    with pytest.raises(DataError, match=rf"version 99, this program reads {SCHEMA_VERSION}"):
        manifests.read(str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b"\xff\xfe\x00",
        b'"text"',
        b"[" * 99_999,
        b"9" * 9_999,
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(DataError, match="is not a manifest: preprocess the data again"):
        manifests.read(str(tmp_path))


@pytest.mark.parametrize(
    "change", [{"findings": ...}, {"findings": 3}, {"splits": {"train": {}}}, {"extra": 1}]
)
def test_a_damaged_manifest_is_refused(tmp_path: pathlib.Path, change: dict[str, object]) -> None:
    manifests.write(str(tmp_path), _manifest())
    _damaged(tmp_path / "manifest.json", **change)
    with pytest.raises(DataError, match="is damaged"):
        manifests.read(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"splits": {}}, "no split train"),
        ({"findings": ["Mass", "Another"]}, "no positives of (Another|Mass) in train"),
    ],
)
def test_a_manifest_that_does_not_say_all_that_is_asked_of_it_is_refused(
    tmp_path: pathlib.Path, change: dict[str, object], words: str
) -> None:
    manifests.write(str(tmp_path), _manifest())
    _damaged(tmp_path / "manifest.json", **change)
    with pytest.raises(DataError, match=words):
        manifests.read(str(tmp_path))


def test_a_manifest_without_a_phantom_is_written_and_identified_as_before_there_were_any() -> None:
    real = _manifest()
    assert "phantom" not in manifests.to_json(real)
    drawn = dataclasses.replace(real, phantom="drawn")
    assert manifests.from_json(manifests.to_json(drawn), origin="m") == drawn
    assert drawn.identity != real.identity
