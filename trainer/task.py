# SPDX-License-Identifier: MIT
"""Command line of the trainer: `cxr14-train --mode=train|evaluate|report|export|all --flags`.

What takes time to import is imported after SIGTERM and Ctrl-C are heard.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from preprocessing.contract.errors import JobError
from preprocessing.contract.files import faults
from preprocessing.contract.process import streams
from preprocessing.contract.process.stopping import StopRequests, tidied
from trainer.network import keras_home


def main(
    argv: Sequence[str] | None = None,
    stops: StopRequests | None = None,
    finish: Callable[[int], None] = lambda code: None,
) -> int:
    """Runs a command line and returns its exit code; every user error is one sentence.

    Args:
        argv: program name first; the process's own by default.
        stops: what listens to requests to stop; by default one that listens for this call.
        finish: called with the exit code before anything that the stages hold is let go of.
    """
    if stops is None:
        with StopRequests().listening() as stops:
            return main(argv, stops, finish)
    # Set before TensorFlow is imported: its start-up notes bury what the run says.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    keras_home.ignore()
    from trainer import flags

    try:
        parsed = flags.parse(list(sys.argv if argv is None else argv))
        if parsed.help:
            print(parsed.help, flush=True)
            return 0
        # Behind the help, which need not wait for what a report is made with.
        from trainer import modes

        with faults.told():
            modes.run(parsed, stops, finish)
        return 0
    except JobError as error:
        _say(error)
        finish(error.exit_code)
        return error.exit_code


def console() -> None:
    """Entry point of the console script."""
    streams.settle()
    with StopRequests().listening() as stops:
        from trainer.scratch import Scratch

        try:
            with faults.told():
                scratch = Scratch()
        except JobError as error:
            _say(error)
            sys.exit(error.exit_code)

        def finish(code: int) -> None:
            sys.stdout.flush()
            sys.stderr.flush()
            scratch.remove()
            # Not sys.exit, and not later: TensorFlow's servers wait at the interpreter's end for
            # peers that are gone, and so do its iterators and strategies when they are let go of.
            os._exit(code)

        try:
            with tidied(scratch.remove):
                code = main(stops=stops, finish=finish)
        except Exception:
            traceback.print_exc()
            finish(1)
        finish(code)


def _say(error: JobError) -> None:
    print(f"cxr14-train: {' '.join(str(error).split())}", file=sys.stderr)


if __name__ == "__main__":
    console()
