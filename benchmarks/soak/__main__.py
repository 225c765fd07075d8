# SPDX-License-Identifier: MIT
"""Command line of the soak.

Runs of one and the same command follow each other until the time is over, each in a folder of its
own, each interrupted and started again until it is finished. All must end with the same bytes.
"""

import argparse
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from benchmarks.soak import checks
from benchmarks.soak.kills import ROOT, Soak, workers
from preprocessing.contract import manifest
from preprocessing.contract.manifest import Manifest

SETTINGS = {
    "model.weights": "none",
    "model.hidden_units": 8,
    "model.batch_norm_momentum": 0.9,
    "data.image_size": 32,
    "data.global_batch_size": 8,
    "optimizer.learning_rate": 1e-3,
    "runtime.formation_seconds": 120,
    "runtime.stall_seconds": 60,
    "train.checkpoint_every_steps": 20,
    "train.log_every_steps": 10,
    "evaluation.bootstrap_resamples": 50,
}


def make_data(folder: pathlib.Path, images: int) -> str:
    """Makes a phantom and preprocesses it; returns the data set's folder."""
    tree, data = folder / "phantom", folder / "data"
    if not data.exists():
        for arguments in (
            ["phantom", f"--output={tree}", f"--images={images}", "--prevalence=raised"],
            [
                *("--source=nih", f"--images={tree}", f"--output={data}"),
                f"--labels={tree}/Data_Entry_2017_v2020.csv",
                f"--train_val_list={tree}/train_val_list.txt",
                f"--test_list={tree}/test_list.txt",
                *("--config.stored_size=40", "--config.validation_fraction=0.2"),
                "--config.examples_per_shard=32",
            ],
        ):
            command = [sys.executable, "-m", "preprocessing.task", *arguments]
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return str(data)


def measure_speed(soak: Soak, data: str, count: int) -> tuple[float, int]:
    """Trains three epochs undisturbed; returns steps/s, with saves and validation, and per epoch.

    Raises:
        RuntimeError: it does not train.
    """
    output = soak.folder / "speed"
    ports = workers.Ports(count)
    places = workers.on_loopback(ports.numbers) if count > 1 else [workers.Place()]
    flags = flags_of(data, output, epochs=3, mode="train")
    job = workers.Job(flags, folder=soak.folder / "logs" / "speed", places=places)
    times: dict[int, float] = {}
    try:
        job.start()
        while job.alive and time.monotonic() - job.workers[0].began < 900:
            times.setdefault(workers.newest_step(output), time.monotonic())
            time.sleep(0.05)
        if set(job.codes) != {0} or len(times) < 3:
            raise RuntimeError(f"the soak cannot begin: training fails\n{job.text()}")
    finally:
        job.stop()
        ports.release()
    times.pop(0, None)
    first, last = min(times), max(times)
    return (last - first) / (times[last] - times[first]), last // 3


def flags_of(data: str, output: pathlib.Path, *, epochs: int, mode: str) -> list[str]:
    """Returns the command line of a run."""
    settings = {**SETTINGS, "train.epochs": epochs}
    changes = [f"--config.{name}={value}" for name, value in settings.items()]
    return [f"--mode={mode}", f"--data={data}", f"--output={output}", *changes]


def main() -> int:
    """Runs the soak; 1 if anything was not as it should be."""
    asked = _arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = pathlib.Path(asked.folder or tempfile.mkdtemp(prefix="cxr14-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    low, high = map(float, asked.pause.split(","))
    soak = Soak(folder, seed=asked.seed, count=asked.workers, pause=(low, high))
    runs: list[pathlib.Path] = []
    try:
        _run(soak, asked, runs)
    except KeyboardInterrupt:
        soak.problem("interrupted")
    except Exception as error:
        soak.problem(f"the soak itself failed: {error}")
        raise
    finally:
        soak.save()
        print(f"\n{checks.table(soak.starts)}\n\n{checks.summary(soak.starts)}")
        print(f"finished runs: {len(runs)}; record: {folder / 'soak.json'}")
        print("\n".join(f"PROBLEM {text}" for text in soak.problems) or "no problems")
    return 1 if soak.problems else 0


def _run(soak: Soak, asked: argparse.Namespace, runs: list[pathlib.Path]) -> None:
    data = make_data(soak.folder, asked.images)
    speed, per_epoch = measure_speed(soak, data, asked.workers)
    epochs = max(2, round(60 * asked.run_minutes * speed / per_epoch))
    print(
        f"{speed:.2f} steps/s, {per_epoch} steps an epoch: runs of {epochs} epochs in "
        f"{soak.folder}",
        flush=True,
    )
    made = manifest.read(data)
    if asked.reference:
        _one_run(soak, -1, data, epochs, until=0.0, made=made, runs=runs)
    until = soak.minutes + asked.minutes
    number = 0
    while soak.minutes + 1 < until:
        _one_run(soak, number, data, epochs, until=until, made=made, runs=runs)
        number += 1
    _compare(soak, runs)


def _one_run(
    soak: Soak,
    number: int,
    data: str,
    epochs: int,
    *,
    until: float,
    made: Manifest,
    runs: list[pathlib.Path],
) -> None:
    """Drives a run to its end and checks what it left."""
    output = soak.folder / (f"run{number}" if number >= 0 else "reference")
    flags = flags_of(data, output, epochs=epochs, mode="all")
    began = time.monotonic()
    if not soak.finish(number, flags, output, until=until):
        return
    line, wrong = checks.ledger_of(output, time.monotonic() - began)
    print(f"{output.name}: {line}", flush=True)
    for problem in [*wrong, *checks.problems_of(output, made)]:
        soak.problem(f"{output.name}: {problem}")
    if left := workers.litter(output):
        soak.problem(f"{output.name} holds litter: {', '.join(left[:5])} ({len(left)} in all)")
    runs.append(output)


def _compare(soak: Soak, runs: list[pathlib.Path]) -> None:
    """Requires the same predictions, to the byte, of all finished runs."""
    contents = [(run / "predictions" / "predictions.csv").read_bytes() for run in runs]
    for run, content in zip(runs, contents, strict=True):
        if content != contents[0]:
            soak.problem(f"the predictions of {run.name} are not those of {runs[0].name}")
    print(f"predictions of {len(runs)} runs compared", flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120, help="with kills")
    parser.add_argument("--run_minutes", type=float, default=20, help="training of one run")
    parser.add_argument("--pause", default="2,5", help="least and most minutes between kills")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=600, help="of the phantom")
    parser.add_argument("--seed", type=int, default=0, help="of the kills")
    parser.add_argument("--folder", default="", help="where it all lies; kept")
    parser.add_argument("--reference", action="store_true", help="compare with an undisturbed run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
