# SPDX-License-Identifier: MIT
"""Says from a manifest and the sizes of its shards whether they can be trained on.

Imports no TensorFlow, so that a launcher refuses what the trainer would.
"""

from collections.abc import Mapping

from preprocessing.contract.errors import DataError
from preprocessing.contract.manifest import Manifest


def check_sizes(folder: str, manifest: Manifest, sizes: Mapping[str, int | None]) -> None:
    """Compares the size of every shard with the manifest.

    Args:
        folder: of the data set.
        manifest: of the data set.
        sizes: path -> bytes of the shards that are there.

    Raises:
        DataError: a shard that is absent or of another size.
    """
    for split in manifest.splits.values():
        for path, shard in zip(split.paths(folder), split.shards, strict=True):
            size = sizes.get(path)
            if size is None:
                raise DataError(f"shard {path} is missing: copy the data set again, whole")
            if size != shard.bytes:
                raise DataError(
                    f"shard {path} has {size} bytes, the manifest says {shard.bytes}: copy "
                    "it again or preprocess the data again"
                )


def check_validation(manifest: Manifest) -> None:
    """Refuses a validation split that cannot choose a network, before hours are spent.

    Raises:
        DataError: no finding of it has a defined AUC.
    """
    split = manifest.splits["validation"]
    if not any(0 < split.positives[name] < split.known[name] for name in manifest.findings):
        raise DataError(
            "the validation split has no finding that is present in some images and "
            "absent in others, so no AUC is defined: preprocess with more images or a "
            "larger validation_fraction"
        )
