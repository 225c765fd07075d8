# SPDX-License-Identifier: MIT
"""The files that a report is made from: which they are, their hashes, and what they hold."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from trainer.predictions import averaged, given_file, listed, metadata
from trainer.predictions.table import fingerprint
from trainer.report.asked import USUAL, Asked
from trainer.report.source import Source

# What evaluation may leave beside its predictions.
_BESIDE = (metadata.NAME, "localisation.npz", "gallery.npz")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Paths, local or gs://; empty where nothing was given.

    Attributes:
        predictions: of the model, .csv, .npz or .parquet; of several models, with commas between
            them, the mean of their scores.
        metadata: what is known of the images; empty takes the file beside the predictions, if any.
        compare: predictions of other models on the same images, each likewise.
        radiologists: labels by radiologists.
    """

    predictions: str
    metadata: str = ""
    compare: tuple[str, ...] = ()
    radiologists: str = ""

    def hashes(self) -> dict[str, Any]:
        """Returns name and SHA-256 of every file that the report depends on.

        A mean has a SHA-256 of the lines of those of its files, which are listed too, as `mean_of`.

        Raises:
            DataError: a file that was named is not there.
            UsageError: two models to compare with have the same files.
        """
        found: dict[str, Any] = {
            "predictions": _hashed(listed.paths(self.predictions), fingerprint)
        }
        if self.metadata:
            found["metadata"] = _hashed([self.metadata], _sha256_for("metadata"))
        if self.compare:
            found["compare"], *further = self._hashes_compared()
            found |= {"compare_further": further} if further else {}
        if self.radiologists:
            found["radiologists"] = _hashed([self.radiologists], _sha256_for("radiologists"))
        for name in _BESIDE:
            path = self._beside(name)
            if path and not (name == metadata.NAME and self.metadata):
                sha256 = functools.partial(given_file.sha256, what="file of evaluation")
                found[name.partition(".")[0]] = _hashed([path], sha256)
        return found

    def source(
        self, *, context: Mapping[str, Any], resamples: int, seed: int, asked: Asked = USUAL
    ) -> Source:
        """Reads the files.

        Raises:
            DataError: one of them cannot be used; the text says why.
        """
        path = self.metadata or self._beside(metadata.NAME)
        return Source(
            predictions=averaged.read(self.predictions),
            resamples=resamples,
            seed=seed,
            context=context,
            metadata=metadata.read(path) if path else None,
            compared={
                name: averaged.read(text)
                for name, text in zip(_apart(self.compare), self.compare, strict=True)
            },
            radiologists=self.radiologists,
            beside="" if self._is_mean else self._folder,
            asked=asked,
        )

    def _hashes_compared(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        seen: dict[tuple[str, ...], str] = {}
        for name, text in zip(_apart(self.compare), self.compare, strict=True):
            entry = _hashed(listed.paths(text), _sha256_for("compare"))
            files = tuple(sorted(one["sha256"] for one in entry.get("mean_of", [entry])))
            if files in seen:
                raise UsageError(
                    f"--compare={text} and --compare={seen[files]} are the same predictions (by "
                    "SHA-256): give each model once"
                )
            seen[files] = text
            found.append(entry | {"file": name})
        return found

    @property
    def _folder(self) -> str:
        return listed.paths(self.predictions)[0].rpartition("/")[0] or "."

    @property
    def _is_mean(self) -> bool:
        return len(listed.paths(self.predictions)) > 1

    def _beside(self, name: str) -> str:
        # Heat maps and pictures are of one model's scores, facts of images of anybody's.
        if self._is_mean and name != metadata.NAME:
            return ""
        path = storage.join(self._folder, name)
        return path if storage.exists(path) else ""


def _called(paths: list[str]) -> str:
    names = listed.names(paths)
    return names[0] if len(names) == 1 else f"mean of {len(names)} files"


def _apart(given: Sequence[str]) -> list[str]:
    """Returns what to call models, told apart by their folders where their files' names are one."""
    models = [listed.paths(text) for text in given]
    found = [_called(paths) for paths in models]
    if len(set(found)) == len(found):
        return found
    names = iter(listed.names([path for paths in models for path in paths]))
    each = [[next(names) for _ in paths] for paths in models]
    return ["mean of " * (len(one) > 1) + ", ".join(one) for one in each]


def _sha256_for(flag: str) -> Callable[[str], str]:
    return functools.partial(given_file.sha256, what=f"file for --{flag}")


def _hashed(paths: list[str], sha256: Callable[[str], str]) -> dict[str, Any]:
    each = [
        {"file": name, "sha256": sha256(path)}
        for name, path in zip(listed.names(paths), paths, strict=True)
    ]
    if len(each) == 1:
        return each[0]
    lines = "\n".join(one["sha256"] for one in each)
    joined = hashlib.sha256(lines.encode()).hexdigest()
    return {"file": _called(paths), "sha256": joined, "mean_of": each}
