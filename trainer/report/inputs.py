# SPDX-License-Identifier: MIT
"""The files that a report is made from: which they are, their hashes, and what they hold."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from preprocessing.contract.files import storage
from trainer.predictions import given_file, metadata
from trainer.predictions.table import fingerprint, read
from trainer.report.source import Source

# What evaluation may leave beside its predictions.
_BESIDE = (metadata.NAME, "localisation.npz", "gallery.npz")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Paths, local or gs://; empty where nothing was given.

    Attributes:
        predictions: of the model, .csv, .npz or .parquet.
        metadata: what is known of the images; empty takes the file beside the predictions, if any.
        compare: predictions of another model on the same images.
        radiologists: labels by radiologists.
    """

    predictions: str
    metadata: str = ""
    compare: str = ""
    radiologists: str = ""

    def hashes(self) -> dict[str, dict[str, str]]:
        """Returns name and SHA-256 of every file that the report depends on.

        Raises:
            DataError: a file that was named is not there.
        """
        found = {"predictions": fingerprint(self.predictions)}
        paths = {"predictions": self.predictions}
        for name in ("metadata", "compare", "radiologists"):
            if path := getattr(self, name):
                paths[name], found[name] = path, given_file.sha256(path, f"file for --{name}")
        for name in _BESIDE:
            path = self._beside(name)
            if path and not (name == metadata.NAME and self.metadata):
                key = name.partition(".")[0]
                paths[key], found[key] = path, given_file.sha256(path, "file of evaluation")
        return {
            key: {"file": storage.basename(paths[key]), "sha256": sha256}
            for key, sha256 in found.items()
        }

    def source(self, *, context: Mapping[str, Any], resamples: int, seed: int) -> Source:
        """Reads the files.

        Raises:
            DataError: one of them cannot be used; the text says why.
        """
        path = self.metadata or self._beside(metadata.NAME)
        return Source(
            predictions=read(self.predictions),
            resamples=resamples,
            seed=seed,
            context=context,
            metadata=metadata.read(path) if path else None,
            compared=read(self.compare) if self.compare else None,
            compared_name=storage.basename(self.compare) if self.compare else "",
            radiologists=self.radiologists,
            beside=self._folder,
        )

    @property
    def _folder(self) -> str:
        return self.predictions.rpartition("/")[0] or "."

    def _beside(self, name: str) -> str:
        path = storage.join(self._folder, name)
        return path if storage.exists(path) else ""
