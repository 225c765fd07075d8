# SPDX-License-Identifier: MIT
"""The training loop: an outer loop that saves, evaluates, logs and stops, around compiled steps.

The host calls the accelerator for several steps at a time. Where those calls end is decided by the
next thing to do (log, save, end of epoch) and by the clock, so nothing depends on how many steps
one call takes. All processes of a run decide alike, from numbers that they agreed on in a call.
"""

from absl import logging

from preprocessing.contract.errors import StoppedError
from preprocessing.contract.process.progress import Progress as Display
from trainer import course
from trainer.evaluation.auc import mean_auc
from trainer.monitoring.clock import CLOCK
from trainer.training.calls import Calls, LoopParts, Summary

# A call should not keep the loop from answering SIGTERM: two of them and a save have 12 seconds.
_CALL_SECONDS = 2.0


def train(parts: LoopParts) -> Summary:
    """Trains from the step that the run has reached to its end.

    Raises:
        ConfigError: the loss is no longer a number, or too large.
        StoppedError: `should_stop`; everything was saved.
    """
    progress, settings = parts.progress, parts.config.train
    total = settings.epochs * parts.per_epoch
    calls = Calls(parts)
    parts.outlook.begin(progress.step, progress.best_auc)
    with Display("training", total, unit="steps", done=progress.step, says_left=False) as display:
        while True:
            if progress.step and progress.step % parts.per_epoch == 0:
                _end_epoch(parts)
                parts.outlook.validated(progress.best_auc)
                parts.monitor.best(progress.step, progress.best_auc)
            if progress.step >= total or _is_stale(parts):
                break
            calls.steps(_steps_until_next_duty(parts, calls.seconds_per_step, total))
            parts.outlook.stepped(progress.step)
            display.reach(progress.step, f"loss {calls.loss:.4f}{parts.outlook.words()}")
            every = settings.checkpoint_every_steps
            if progress.step % parts.per_epoch == 0 or (every and progress.step % every == 0):
                with CLOCK.phase("checkpoint", _at(parts)):
                    parts.checkpoints.save()
            if calls.stop or (parts.alone and parts.should_stop()):
                _stop(parts, total)
    with CLOCK.phase("checkpoint", _at(parts)):
        parts.checkpoints.wait()
    return calls.summary()


def _at(parts: LoopParts) -> str:
    return f"after step {parts.progress.step}"


def _stop(parts: LoopParts, total: int) -> None:
    with CLOCK.phase("checkpoint", _at(parts)):
        parts.checkpoints.save()
        parts.checkpoints.wait()
    raise StoppedError(
        f"stopped and saved at step {parts.progress.step} of {total}: the same command goes on "
        "from there"
    )


def _steps_until_next_duty(parts: LoopParts, seconds: float, total: int) -> int:
    """Returns how many steps the next host call may take without passing anything to do."""
    settings, step = parts.config.train, parts.progress.step
    every = [parts.per_epoch, settings.log_every_steps, settings.checkpoint_every_steps]
    duties = [total, *(step - step % interval + interval for interval in every if interval)]
    duties += [duty for duty in parts.profiler.duties if duty > step]
    most = max(1, int(_CALL_SECONDS / seconds)) if seconds else 1
    return min(settings.steps_per_call, most, min(duties) - step)


def _is_stale(parts: LoopParts) -> bool:
    patience = parts.config.train.patience_epochs
    return bool(patience and parts.progress.stale_epochs >= patience)


def _end_epoch(parts: LoopParts) -> None:
    """Scores the validation split and keeps the network if it is the best so far.

    The checkpoint of this step was taken before, so that a process that is ended in here repeats
    the scoring and nothing else.
    """
    progress, settings = parts.progress, parts.config.optimizer
    step, epoch = progress.step, progress.step // parts.per_epoch
    with CLOCK.phase("validation", _at(parts)):
        aucs, loss = parts.evaluate(step)
    mean = mean_auc(aucs)
    logging.info(f"epoch {epoch}, step {step}: validation mean AUC {mean:.4f}, loss {loss:.4f}")
    by_loss = parts.config.train.monitor == "loss"
    if loss < progress.best_loss if by_loss else mean > progress.best_auc:
        progress.best_auc, progress.best_loss, progress.best_step = mean, loss, step
        progress.stale_epochs = progress.plateau_epochs = 0
        with CLOCK.phase("checkpoint", _at(parts)):
            parts.checkpoints.save_best()
        return
    if step <= course.own_phase(parts.config, parts.per_epoch):
        # Patience with the head alone would end the run before the backbone learns.
        return
    progress.stale_epochs += 1
    progress.plateau_epochs += 1
    if settings.schedule == "plateau" and progress.plateau_epochs >= settings.plateau_epochs:
        progress.rate_factor *= settings.plateau_factor
        progress.plateau_epochs = 0
        logging.info(f"learning rate lowered to {progress.rate_factor:g} of the schedule's")
