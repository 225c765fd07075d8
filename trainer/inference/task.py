# SPDX-License-Identifier: MIT
"""Command line of prediction: `cxr14-predict --model=DIR INPUT... --output=FILE`.

What takes time to import is imported after SIGTERM and Ctrl-C are heard.
"""

import os
import sys
from collections.abc import Sequence

from preprocessing.contract.errors import JobError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.process import log, packages
from preprocessing.contract.process.stopping import StopRequests

_PROGRAM = "cxr14-predict"
_LOCK = "serve.txt"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code; every user error is one sentence.

    Args:
        argv: program name first; the process's own by default.
    """
    # Set before TensorFlow is imported. It would take all memory of a GPU, which others use too.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    argv = list(sys.argv if argv is None else argv)
    try:
        with StopRequests(program=_PROGRAM).listening() as stops:
            from trainer.inference import flags

            log.configure(argv)
            options = flags.parse(argv)
            if options.help:
                log.show(options.help)
                return 0
            with packages.explained(_LOCK), faults.explained():
                from trainer.inference import prediction

                if not options.serve:
                    prediction.run(options, stops)
                    return 0
                # With what takes time to import, while requests to stop are still heard.
                from trainer.inference.service import start
        # A service answers signals by itself: it finishes what it is asked first.
        with packages.explained(_LOCK), faults.explained():
            return start.serve(
                lambda: prediction.load(options), host=options.host, port=options.port
            )
    except JobError as error:
        log.say(_PROGRAM, storage.shown(str(error)), error.exit_code)
        return error.exit_code


def console() -> None:
    """Entry point of the console script."""
    log.begin(sys.argv)
    code = main()
    log.end()
    sys.exit(code)


if __name__ == "__main__":
    console()
