# SPDX-License-Identifier: MIT
"""Command line of the preprocessing job: `cxr14-preprocess [phantom] --flags`.

What takes time to import is imported after SIGTERM and Ctrl-C are heard.
"""

import os
import sys
from collections.abc import Sequence

from preprocessing.contract.errors import JobError
from preprocessing.contract.files import faults
from preprocessing.contract.process import log, packages
from preprocessing.contract.process.processes import end_descendants
from preprocessing.contract.process.stopping import StopRequests, tidied

_PROGRAM = "cxr14-preprocess"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code; every user error is one sentence.

    SIGTERM and Ctrl-C end it at once, with its worker processes: what is finished is kept, and
    nothing that is half written counts.
    """
    if argv is None:
        log.begin(sys.argv)
    argv = list(sys.argv if argv is None else argv)
    # Set before TensorFlow is imported, which only paths such as s3:// need.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with StopRequests(program=_PROGRAM).listening(), tidied(end_descendants):
        from preprocessing.contract.files import storage

        log.configure(argv)
        try:
            with packages.explained("preprocess.txt"), faults.explained():
                from preprocessing import commands

                code = commands.do(argv)
                log.end()  # here, because a full disk is one sentence as well
                return code
        except JobError as error:
            log.say(_PROGRAM, storage.shown(str(error)), error.exit_code)
            return error.exit_code
        finally:
            log.end()


if __name__ == "__main__":
    sys.exit(main())
