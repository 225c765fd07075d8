# SPDX-License-Identifier: MIT
"""The trainer's command line with a training that only leaves its note: `PROGRAM SECONDS --flags`.

Meeting the other processes, waiting for them at the end, and ending are the real ones.
"""

import sys
import time

from trainer import modes, runfolder, task


def main() -> None:
    """The chief writes its note after so many seconds, for which the others wait at the end."""
    seconds = float(sys.argv.pop(1))

    def train(stages: modes._Stages) -> None:
        job = stages._connect()
        if job.runtime.is_chief:
            print("connected", flush=True)
            time.sleep(seconds)
            note = {"identity": job.identity, "steps": 1, "best_step": 1}
            runfolder.write_note(job.output, runfolder.TRAINING, note)
            print("all is written", flush=True)

    modes._Stages.train = train
    task.console()


if __name__ == "__main__":
    main()
