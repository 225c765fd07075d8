# SPDX-License-Identifier: MIT
"""Says before a job is sent for how long its machines are needed, and what that costs.

No speed and no price is known here: the speed is that of a run of the user's or stands in the job
file, and so does the price, or in a price file. Every line shows its arithmetic.
"""

import math
from collections.abc import Callable, Iterator

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.files import given_paths
from preprocessing.contract.settings import settings, yaml_files
from trainer import flags
from trainer.config import Config
from trainer.launch.description.estimate import Estimate
from trainer.launch.description.job import Job
from trainer.launch.doctor import sight
from trainer.monitoring import eta
from trainer.monitoring.eta import Plan
from trainer.runfolder import notes, progress_note

# Settings that decide how fast a run is.
_DECIDE = ("model.variant", "data.image_size", "data.global_batch_size", "runtime.precision")
_FORM = "a mapping of machine types to prices an hour, and currency: EUR"


def lines(job: Job, stage: str, like: str, prices: str) -> Iterator[str]:
    """Yields the arithmetic of what a job takes, line by line.

    Args:
        job: to be sent.
        stage: of the job: train or tune.
        like: folder of a run of the same recipe; "" for none.
        prices: price file; "" for none.

    Raises:
        ConfigError: a figure is missing or wrong, or the data set cannot be read.
        UsageError: the job does not train.
    """
    parsed = flags.parse(["cxr14-train", *job.arguments()], environ={})
    if stage not in ("train", "tune") or parsed.mode not in ("train", "all"):
        raise UsageError(
            "an estimate is made of training: use --stage=train or tune, and in args mode train "
            "or all"
        )
    if hidden := sight.hidden(job, parsed.data):
        raise UsageError(f"an estimate counts the images of {parsed.data}, which {hidden}")
    cost = _cost(job, prices)
    speed, source = _speed(job, parsed.config, like)
    plan, seconds = eta.plan(parsed.config, manifests.read(parsed.data), parsed.mode), 0.0
    yield f"speed: {speed:,.6g} images/s, {source}"
    for name, said, images, faster in _work(plan):
        taken = images / (speed * faster)
        seconds += taken
        third = f" / {faster}" if faster > 1 else ""
        yield f"{name}: {said} / {speed:,.6g}{third} = {taken:,.0f} s"
    hours = seconds / 3600
    early = "; at most, as patience may end it before" if plan.may_end_early else ""
    yield f"run: {seconds:,.0f} s / 3600 = {hours:,.2f} h{early}"
    if hours > job.timeout_hours:
        yield f"timeout_hours: {job.timeout_hours:g} is less than that: raise it in the job file"
    yield from _machines(job, stage, hours, cost)
    yield (
        "not counted: waiting for machines, starting, report, saves, restarts, disks and "
        "traffic; assumed: scoring an image, or training the head alone on it, takes a third of "
        "training"
    )


def _machines(job: Job, stage: str, hours: float, cost: Callable[[float], str]) -> Iterator[str]:
    trials = job.tune.trials if stage == "tune" and job.tune is not None else 1
    machines = hours * job.replicas * trials
    of_trials = f" x {trials} trials" if trials > 1 else ""
    yield f"machines: {hours:,.2f} h x {job.replicas}{of_trials} = {machines:,.2f} machine hours"
    if job.accelerator is not None:
        kind, count = job.accelerator.type, job.accelerator.count
        yield f"accelerators: {machines:,.2f} h x {count} {kind} = {machines * count:,.2f} hours"
    yield cost(machines)


def _work(plan: Plan) -> Iterator[tuple[str, str, int, int]]:
    """Yields what a run does: its name, how much in words and in images, and how often faster."""
    of, epochs = f"steps x {plan.batch:,} images", plan.steps // plan.per_epoch
    rest = plan.steps - plan.frozen
    yield "training", f"{rest:,} {of}", rest * plan.batch, 1
    if plan.frozen:
        yield "training the head", f"{plan.frozen:,} {of}", plan.frozen * plan.batch, 3
    said = f"{epochs} epochs x {plan.validation:,} images"
    yield "validation", said, epochs * plan.validation, 3
    for name, images in plan.after.items():
        if images:
            yield name, f"{images:,} images", images, 3


def _speed(job: Job, config: Config, like: str) -> tuple[float, str]:
    """Returns images per second in training, and who says so."""
    if not like and job.estimate is not None and job.estimate.images_per_second is not None:
        return job.estimate.images_per_second, "as estimate.images_per_second says"
    if not like:
        raise ConfigError(
            "estimate.images_per_second is missing, and nothing else says how fast this job trains:"
            " state it, or name a run of this recipe on such machines with --like=RUN; one with "
            "config.train.epochs: 1 is enough"
        )
    like = given_paths.checked("--like", like)
    note = notes.read_note(like, notes.TRAINING)
    going_on = notes.read_note(like, progress_note.PROGRESS)
    found = note.get("images_per_second") or going_on.get("images_per_second")
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        raise UsageError(f"--like={like} holds no speed: name a run that has trained for a while")
    before, said = notes.described(like), f"as {like} has shown"
    devices = job.replicas * (job.accelerator.count if job.accelerator is not None else 1)
    if note.get("replicas", devices) != devices:
        said += f"; but it had {note['replicas']} devices, not {devices}"
    own, other = settings.flat(config), settings.flat(before or config)
    unlike = [name for name in _DECIDE if own[name] != other[name]]
    return found, said + "".join(f"; but its {n} is {other[n]}, not {own[n]}" for n in unlike)


def _cost(job: Job, prices: str) -> Callable[[float], str]:
    """Returns what says the price of machine hours, once the price an hour is read."""
    stated = job.estimate or Estimate()
    price, currency = stated.price_per_hour, stated.currency
    missing = "neither estimate.price_per_hour in the job file nor --prices=FILE says the price"
    if prices:
        path = given_paths.checked("--prices", prices)
        table = yaml_files.read(path)
        if not isinstance(table, dict) or not isinstance(table.get("currency"), str):
            raise ConfigError(f"{path} is not {_FORM}")
        price, currency = table.get(job.machine_type), table["currency"]
        missing = f"{path} has no price of {job.machine_type}"
    if price is None:
        return lambda hours: f"cost: not known, as {missing}"
    if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
        raise ConfigError(
            f"{path}: the price of {job.machine_type} is not a number of at least 0, in what "
            f"should be {_FORM}"
        )
    of = f"machine hours x {price:,.6g} {currency} an hour"
    return lambda hours: f"cost: {hours:,.2f} {of} = {hours * price:,.2f} {currency}"
