# SPDX-License-Identifier: MIT
"""The trainer's command line with a training that only leaves its note: `PROGRAM S T --flags`.

Meeting the other processes, agreeing with them, waiting for them at the end, and ending are the
real ones; report and export are left out.
"""

import sys
import time

from trainer import course, modes, pending, task
from trainer.runfolder import notes


def main() -> None:
    """The chief writes its note after S seconds, and comes to the end T seconds later."""
    before, after = float(sys.argv.pop(1)), float(sys.argv.pop(1))

    def train(stages: pending.PendingStages) -> None:
        job = stages._connect()
        if job.runtime.is_chief:
            print("connected", flush=True)
            time.sleep(before)
            job.guard()
            size = job.config.data.global_batch_size
            steps = job.config.train.epochs * course.steps_per_epoch(job.manifest, size)
            note = {"identity": job.identity, "steps": steps, "best_step": 1}
            note["best_validation_mean_auc"] = 0.5
            notes.write_note(job.output, notes.TRAINING, note)
            print("all is written", flush=True)
            time.sleep(after)

    pending.PendingStages.train = train
    pending.PendingStages.export = modes._show_report = lambda *_: None
    modes.report_stage.on_run = lambda *_: {"splits": {"test": {"n": 4}}}
    task.console()


if __name__ == "__main__":
    main()
