# SPDX-License-Identifier: MIT
"""Copies a run's SavedModel to where a model server looks: `python -m trainer.serving.fetch`.

A pod that serves the model begins with it. Imports no TensorFlow.
"""

import sys
from collections.abc import Sequence

from preprocessing.contract.errors import DataError, JobError, UsageError
from preprocessing.contract.files import faults, given_paths, storage
from preprocessing.contract.process import log
from trainer.serving import model_folder

_PROGRAM = "python -m trainer.serving.fetch"


def main(argv: Sequence[str]) -> int:
    """Copies `SAVED_MODEL` to `FOLDER`, program name first; returns the exit code."""
    try:
        if len(argv) != 3:
            raise UsageError(f"give two folders: {_PROGRAM} SAVED_MODEL FOLDER")
        with faults.explained():
            log.show(f"SavedModel: {fetch(argv[1], argv[2])}")
    except JobError as error:
        log.say(_PROGRAM, str(error), error.exit_code)
        return error.exit_code
    return 0


def fetch(source: str, target: str) -> str:
    """Copies an export, unless it is there already; returns its folder.

    Raises:
        UsageError: a path that cannot be meant.
        DataError: there is no export, or it is not whole.
    """
    source, target = (given_paths.checked("SavedModel", path) for path in (source, target))
    if not storage.exists(storage.join(source, model_folder.NOTE)):
        raise DataError(
            f"{source} holds no SavedModel that is whole: wait for the run's end, or write it with "
            "cxr14-train --mode=export"
        )
    return model_folder.fill(source, {model_folder.VARIABLE: target})


if __name__ == "__main__":
    log.begin(sys.argv)
    code = main(sys.argv)
    log.end()
    sys.exit(code)
