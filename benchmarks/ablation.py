# SPDX-License-Identifier: MIT
"""What each piece of the recipe is worth on a phantom, by removing or adding one at a time.

    python -m benchmarks.ablation FOLDER [--seeds=2]

FOLDER keeps the phantom, its shards and all runs: the same command goes on where it was ended, and
only prints the table once all is there. The phantom is harder than the demo's: of the images of
train_val one positive label in five is missing and one negative in fifty is wrong, as with labels
that were read out of reports; those of test are right.
"""

import argparse
import csv
import pathlib
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS

IMAGES, MISSED, INVENTED = 4000, 0.2, 0.02
BASE = {
    "data.global_batch_size": 32,
    "data.image_size": 64,
    "data.crop_fraction": 0.8889,
    "augmentation.min_area": 0.5,
    "augmentation.max_ratio": 1.2,
    "augmentation.rotation": 7,
    "augmentation.brightness": 0.1,
    "augmentation.contrast": 0.1,
    "model.weights": "none",
    "model.dropout": 0.1,
    "model.batch_norm_momentum": 0.9,
    "optimizer.learning_rate": 1e-3,
    "optimizer.warmup_steps": 40,
    "optimizer.ema_decay": 0.99,
    "train.epochs": 8,
    "train.checkpoint_every_steps": 40,
    "evaluation.global_batch_size": 64,
    "evaluation.views": "flip",
    "evaluation.gallery": 0,
}
# Trained: what differs from the base. TEACHER is the mean of the base's scores on train.
TRAINED: Mapping[str, Mapping[str, object]] = {
    "base": {},
    "no augmentation": {
        "augmentation.min_area": 0,
        "augmentation.max_ratio": 1.0,
        "augmentation.rotation": 0,
        "augmentation.brightness": 0,
        "augmentation.contrast": 0,
        "data.flip": False,
        "data.crop_fraction": 1.0,
    },
    "no EMA": {"optimizer.ema_decay": 0},
    "asymmetric loss": {"loss.name": "asymmetric"},
    "with a teacher": {"train.teacher": "TEACHER"},
    "frozen backbone": {
        "model.weights": "PRETRAINED",
        "train.frozen_epochs": 8,
    },
}
# Evaluated once more from the base's networks.
EVALUATED: Mapping[str, Mapping[str, object]] = {
    "no averaging": {"evaluation.views": "one"},
    "ten crops": {"evaluation.views": "ten_crop"},
}


def main() -> None:
    """Makes what is not there yet, and prints the comparison."""
    parser = argparse.ArgumentParser(description="prints what pieces of the recipe are worth")
    parser.add_argument("folder", type=pathlib.Path, help="keeps data and runs")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each kind")
    arguments = parser.parse_args()
    folder, seeds = arguments.folder, range(arguments.seeds)
    data = shards(folder, seed=11)
    for name, changes in TRAINED.items():
        for seed in seeds:
            given = {**BASE, **changes, "seed": seed}
            _run(data, _place(folder, name, seed), _resolved(given, folder, seeds))
    for name, changes in EVALUATED.items():
        for seed in seeds:
            place = _place(folder, name, seed)
            if not place.exists():
                shutil.copytree(_place(folder, "base", seed), place)
            _run(data, place, {**BASE, **changes, "seed": seed})
    places = [_place(folder, name, seed) for name in (*TRAINED, *EVALUATED) for seed in seeds]
    _command("trainer.task", "--mode=compare", f"--runs={','.join(map(str, places))}")


def shards(folder: pathlib.Path, *, seed: int) -> str:
    """Makes a phantom with wrong labels, and its data set; returns the data set's folder."""
    tree, data = folder / f"phantom-{seed}", folder / f"shards-{seed}"
    if not (data / "manifest.json").exists():
        _command(
            *("preprocessing.task", "phantom", f"--output={tree}", f"--images={IMAGES}"),
            *(f"--seed={seed}", "--prevalence=raised"),
        )
        labels = tree / "noisy.csv"
        with (tree / "Data_Entry_2017_v2020.csv").open(newline="") as right:
            clean = set((tree / "test_list.txt").read_text().split())
            rows = list(_noisy(csv.reader(right), clean, random.Random(seed)))
        with labels.open("w", newline="") as wrong:
            csv.writer(wrong, lineterminator="\n").writerows(rows)
        _command(
            *("preprocessing.task", "--source=nih", f"--images={tree}", f"--labels={labels}"),
            *(f"--{name}={tree}/{name}.txt" for name in ("train_val_list", "test_list")),
            *(f"--output={data}", "--config=preset:demo"),
        )
    return str(data)


def _noisy(rows: Iterator[list[str]], clean: set[str], draw: random.Random) -> Iterator[list[str]]:
    yield next(rows)
    for name, text, *rest in rows:
        there = set(text.split("|"))
        kept = [
            finding
            for finding in CHESTXRAY14_FINDINGS
            if draw.random() < (1 - MISSED if finding in there else INVENTED)
        ]
        yield [name, text if name in clean else "|".join(kept) or "No Finding", *rest]


def _place(folder: pathlib.Path, name: str, seed: int) -> pathlib.Path:
    return folder / name.replace(" ", "-") / f"seed-{seed}"


def _resolved(
    given: Mapping[str, object], folder: pathlib.Path, seeds: Sequence[int]
) -> dict[str, object]:
    """Puts paths in the place of the names in capitals, and makes what lies there."""
    return {
        name: {"TEACHER": _teacher, "PRETRAINED": _pretrained}[value](folder, seeds)
        if value in ("TEACHER", "PRETRAINED")
        else value
        for name, value in given.items()
    }


def _teacher(folder: pathlib.Path, seeds: Sequence[int]) -> str:
    """Scores the train split with the base's networks."""
    runs = [_place(folder, "base", seed) for seed in seeds]
    files = [run / "predictions" / "train.csv" for run in runs]
    for seed, run, file in zip(seeds, runs, files, strict=True):
        if not file.exists():
            given = {**BASE, "seed": seed}
            _train(shards(folder, seed=11), run, given, "--mode=evaluate", "--split=train")
    return ",".join(map(str, files))


def _pretrained(folder: pathlib.Path, seeds: Sequence[int]) -> str:
    """Trains the base on another phantom; stands in for ImageNet's weights."""
    run = folder / "pretrained"
    _train(shards(folder, seed=12), run, {**BASE, "seed": len(seeds)}, "--mode=train")
    return str(run)


def _run(data: str, output: pathlib.Path, given: Mapping[str, object]) -> None:
    for mode in ("train", "evaluate"):
        _train(data, output, given, f"--mode={mode}")


def _train(data: str, output: pathlib.Path, given: Mapping[str, object], *flags: str) -> None:
    settings = (f"--config.{name}={value}" for name, value in given.items())
    _command("trainer.task", *flags, f"--data={data}", f"--output={output}", *settings)


def _command(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


if __name__ == "__main__":
    main()
