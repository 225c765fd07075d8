# SPDX-License-Identifier: MIT
"""Command line of the trainer: `cxr14-train --mode=MODE --flags`; `trainer.flags` has the modes.

What takes time to import is imported after SIGTERM and Ctrl-C are heard.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence

from preprocessing.contract.errors import JobError, StoppedError
from preprocessing.contract.files import faults
from preprocessing.contract.process import log, packages
from preprocessing.contract.process.stopping import StopRequests, tidied
from trainer.distribution import cluster
from trainer.monitoring.clock import CLOCK
from trainer.network import keras_home

_PROGRAM = "cxr14-train"


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
    # Before NumPy is: products of a report are small, and threads that wait for them burn CPU.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    keras_home.ignore()
    from trainer.monitoring.notify import NOTIFIER

    argv = list(sys.argv if argv is None else argv)
    worker = _name_worker(argv)
    try:
        _run(argv, worker, stops, finish)
        return 0
    except JobError as error:
        log.say(_PROGRAM, str(error), error.exit_code)
        NOTIFIER.failed(error)
        if isinstance(error, cluster.LostPeerError):
            stops.came.wait(error.seconds_to_wait(os.environ))
        finish(error.exit_code)
        return error.exit_code
    except Exception as error:
        NOTIFIER.failed(error)
        raise


def console() -> None:
    """Entry point of the console script."""
    log.begin(sys.argv)
    with StopRequests().listening() as stops:
        from trainer.scratch import Scratch

        try:
            with faults.explained():
                scratch = Scratch()
        except JobError as error:
            log.say(_PROGRAM, str(error), error.exit_code)
            sys.exit(error.exit_code)

        def finish(code: int) -> None:
            log.end()
            scratch.remove()
            # Not sys.exit, and not later: TensorFlow's servers wait at the interpreter's end for
            # peers that are gone, and so do its iterators and strategies when they are let go of.
            os._exit(code)

        try:
            with tidied(scratch.remove):
                code = main(stops=stops, finish=finish)
        except Exception:
            sys.excepthook(*sys.exc_info())
            finish(1)
        finish(code)


def _run(argv: list[str], worker: int, stops: StopRequests, finish: Callable[[int], None]) -> None:
    from trainer import flags
    from trainer.monitoring import notify

    told = notify.NOTIFIER
    # At first by the environment alone, for what may be wrong with the flags.
    told.begin(notify.chosen("", os.environ), "", worker)
    parsed = flags.parse(argv)
    if parsed.help:
        log.show(parsed.help)
        return
    told.begin(parsed.notify_url, parsed.output, worker)
    told.started()

    def tell_stop() -> None:
        told.ended(StoppedError.exit_code, "stopped: the same command goes on")

    def end(code: int) -> None:
        told.ended(code)
        finish(code)

    # Behind the help, which need not wait for what a report is made with.
    with tidied(tell_stop), packages.explained("default.txt"), faults.explained():
        from trainer import modes

        with CLOCK.phase("other"):
            modes.run(parsed, stops, end)
    told.ended()


def _name_worker(argv: Sequence[str]) -> int:
    """Lets the log say which worker this is, as far as the environment can be read."""
    peers = cluster.Cluster()
    with contextlib.suppress(JobError):
        peers = cluster.find(os.environ)
    log.configure(argv, worker=peers.number, workers=len(peers.tasks))
    return peers.number


if __name__ == "__main__":
    console()
