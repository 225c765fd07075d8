# SPDX-License-Identifier: MIT
"""Command line of `cxr14-launch`, which `trainer.launch.commands` describes.

What takes time to import is imported where Ctrl-C is one sentence.
"""

import sys
from collections.abc import Sequence

from preprocessing.contract import wording
from preprocessing.contract.errors import JobError


def main() -> int:
    """Runs the command line of this process; returns its exit code."""
    return run(sys.argv)


def run(argv: Sequence[str]) -> int:
    """Runs a command line, program name first; returns the exit code."""
    try:
        from preprocessing.contract.process import streams

        if argv is sys.argv:
            streams.settle()
        from trainer.launch import commands

        commands.do(argv)
        sys.stdout.flush()
    except JobError as error:
        print(f"cxr14-launch: {wording.one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "cxr14-launch: stopped by Ctrl-C: what was sent, a job or its end, goes on, and the "
            "same command finds it",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
