# SPDX-License-Identifier: MIT
"""Takes films and labels out of a data set that cxr14-preprocess made, for a test on other data."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from preprocessing.contract import manifest as manifests
from preprocessing.contract.archives.archives import Member
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.pictures import image
from trainer.data import metadata_of_shards
from trainer.inference.place import Place
from trainer.predictions.metadata import Metadata


def is_one(path: str) -> bool:
    """Tells whether a path is the folder of a finished data set."""
    return storage.exists(storage.join(path, manifests.NAME))


def check(folder: str, stored_size: int) -> None:
    """Raises DataError if the pictures of a data set are not of the size that a model wants."""
    found = manifests.read(folder).stored_size
    if found != stored_size:
        raise DataError(
            f"{folder} holds pictures of {found} px, and the model wants {stored_size}: preprocess "
            f"that data again with --config.stored_size={stored_size}"
        )


def places(folder: str, splits: Sequence[str]) -> Iterator[Place]:
    """Yields the films of some splits, in the order of the shards."""
    manifest = manifests.read(folder)
    for split in splits:
        for shard in manifest.splits[split].shards:
            path = storage.join(folder, shard.name)
            for record in metadata_of_shards.records(path):
                yield Place(path, record.id, record.id, shard.sha256, record.id)


def members(path: str, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """Yields the films of a shard as files of an archive, their content a PNG file.

    Raises:
        DataError: the shard is missing or damaged.
    """
    manifest = manifests.read(path.rpartition("/")[0])
    for record in metadata_of_shards.records(path):
        data = record.image
        if wanted(record.id) and manifest.encoding != "png":
            pixels = image.decode_stored(data, manifest.stored_size, manifest.encoding)
            data = image.encode(pixels)
        yield Member(record.id, data)


def metadata(folder: str, splits: Sequence[str]) -> tuple[Manifest, Metadata]:
    """Returns the manifest, and what the records of some splits say of their films.

    Raises:
        DataError: a shard is missing, damaged or not as the manifest says.
    """
    whole = manifests.read(folder)
    kept = {
        name: split if name in splits else dataclasses.replace(split, shards=[])
        for name, split in whole.splits.items()
    }
    found = metadata_of_shards.of_data_set(folder, dataclasses.replace(whole, splits=kept))
    # To a model that has seen none of them, all are test.
    tested = found.splits.copy()
    tested[:] = "test"
    return whole, dataclasses.replace(found, splits=tested)
