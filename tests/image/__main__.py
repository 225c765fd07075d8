# SPDX-License-Identifier: MIT
"""Builds the image and runs the phantom job in it, and prints what it costs and how it ends.

    python tests/image [--flavors=default,gpu,preprocess,serve]

Nothing is pulled: Debian's Python stands in for the base image, and boot.py for the start program
in Apache's. Every row whose exit code is not the wanted one fails the whole.
"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import workers
import yaml
from engine import ROOT, SECURE, Container, Engine, arguments_of_dockerfile, mounts, own
from pods import podman

USER = 10001
NIH = ["--source=nih", "--images=/data/phantom"] + [
    f"--{flag}=/data/phantom/{name}"
    for flag, name in (
        ("labels", "Data_Entry_2017_v2020.csv"),
        ("train_val_list", "train_val_list.txt"),
        ("test_list", "test_list.txt"),
        ("boxes", "BBox_List_2017.csv"),
    )
]
NIH += ["--config=preset:demo"]
SHARDS = "--output=/data/shards"
TRAIN = ["--data=/data/shards", "--output=/data/run", "--config=preset:smoke"]
# What makes the shipped job small enough for the phantom and a CPU.
SMALL = ["accelerator=any", "precision=float32"]
SMALL = [f"--config.runtime.{setting}" for setting in SMALL] + [
    f"--config.{setting}"
    for setting in (
        "data.global_batch_size=8",
        "data.image_size=32",
        "model.weights=none",
        "train.epochs=1",
        "evaluation.bootstrap_resamples=100",
    )
]


# What Vertex AI sets, and what asks a container from within, as there is no network.
VERTEX = {
    "AIP_STORAGE_URI": "/data/run/saved_model",
    "AIP_HTTP_PORT": "8085",
    "AIP_HEALTH_ROUTE": "/is_healthy",
    "AIP_PREDICT_ROUTE": "/answers",
}
ASK = """
import base64, json, pathlib, urllib.request as web
film = next(pathlib.Path("/data/phantom").rglob("*.png")).read_bytes()
body = json.dumps({"instances": [{"b64": base64.b64encode(film).decode()}]}).encode()
print(web.urlopen("http://127.0.0.1:8085/is_healthy").status)
[answer] = json.load(web.urlopen("http://127.0.0.1:8085/answers", body))["predictions"]
print(answer["usable"], len(answer["scores"]), "scores")
"""


class Table:
    """Prints a row for each container; knows whether all ended as they should."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        print("| what | exit code | seconds |\n|---|---|---|", flush=True)

    def row(self, what: str, container: Container, wanted: int, says: str = "") -> None:
        """Waits for a container's end and prints its row."""
        code, seconds, text = container.end()
        print(f"| {what} | {code} | {seconds:.1f} |", flush=True)
        if code != wanted or says not in text:
            self.wrong.append(f"{what}: {code}, not {wanted} with {says!r}:\n{text[-3000:]}")


class Job:
    """The phantom job of one user in one image."""

    def __init__(self, engine: Engine, image: str, user: int, table: Table) -> None:
        self.engine, self.image, self.table = engine, image, table
        self.folder = engine.data(f"{image.rpartition(':')[2]}-{user}", user)
        self.flags = [*SECURE, f"--user={user}:{user}", *mounts({self.folder: "/data"})]
        self.whose = "" if user == USER else f" as user {user}"

    def start(self, program: str, *arguments: str) -> Container:
        """Starts one of the programs."""
        return self.engine.start(self.image, [*self.flags, f"--entrypoint={program}"], arguments)

    def run(self, program: str, *arguments: str, wanted: int = 0, says: str = "") -> None:
        """Runs one of the programs to its end."""
        shown = " ".join(arguments[:2]) if len(arguments[0]) < 20 else arguments[0]
        what = f"{program} {shown}{self.whose}"
        self.table.row(what, self.start(program, *arguments), wanted, says)

    def stop(self, where: str, reached: Callable[[str], object], *command: str) -> None:
        """Runs a program until something is reached, and stops it as a cluster would."""
        container = self.start(*command)
        container.until(reached)
        container.stop()
        self.table.row(f"{command[0]}: SIGTERM {where}{self.whose}", container, 75)

    def preprocess(self, images: int) -> None:
        """Makes the phantom and its shards, stopped twice on the way."""
        phantom = ("phantom", f"--images={images}", "--output=/data/phantom", "--seed=1")
        self.run("cxr14-preprocess", *phantom, "--prevalence=raised")
        self.stop("after 1 s", after(1), "cxr14-preprocess", *NIH, SHARDS)
        pieces = self.folder / "shards"

        def works(_: str) -> bool:
            return any(pieces.rglob("*.tfrecord*"))

        self.stop("in the work", works, "cxr14-preprocess", *NIH, SHARDS)
        self.run("cxr14-preprocess", *NIH, SHARDS)
        self.run("cxr14-preprocess", "verify", "/data/shards")

    def train(self) -> None:
        """Trains, stopped on the way, and makes report and export, each in a container."""
        self.stop("after 1 s", after(1), "cxr14-train", "--mode=train", *TRAIN)
        in_a_step = re.compile(r"step \d+").search
        self.stop("in a step", in_a_step, "cxr14-train", "--mode=train", *TRAIN)
        for mode in ("train", "evaluate", "report", "export"):
            self.run("cxr14-train", f"--mode={mode}", *TRAIN)
        self.holds("report/report.html", "saved_model/saved_model.pb")

    def holds(self, *names: str) -> None:
        """Looks whether files were made below the output folder."""
        for name in names:
            if not (self.folder / "run" / name).exists():
                self.table.wrong.append(f"{self.image}: there is no {name}")


def after(seconds: float) -> Callable[[str], bool]:
    """Returns what is reached some time after it is first asked."""
    asked: list[float] = []

    def reached(_: str) -> bool:
        asked.append(time.monotonic())
        return asked[-1] - asked[0] >= seconds

    return reached


def default(engine: Engine, image: str, table: Table) -> None:
    """The image for CPUs: every command, then the whole job once more as a user of no name."""
    job = Job(engine, image, USER, table)
    job.run("cxr14-train", "--help")
    job.run("cxr14-train", "--list_presets", says="smoke")
    job.run("cxr14-train", "--no_such_flag", wanted=64)
    job.preprocess(images=300)
    job.train()
    job = Job(engine, image, random.randrange(20_000, 60_000), table)
    job.run("cxr14-preprocess", "phantom", "--images=200", "--output=/data/phantom")
    job.run("cxr14-preprocess", *NIH, SHARDS)
    idle = [*TRAIN, "--config.runtime.accelerator=gpu"]
    secure, job.flags = job.flags, [*job.flags, *driver(engine)]
    job.run("cxr14-train", "--mode=all", *idle, wanted=78, says="this TensorFlow cannot use")
    job.flags = secure
    job.run("cxr14-train", "--mode=all", *TRAIN)
    job.holds("report/report.html", "saved_model/saved_model.pb")


def driver(engine: Engine) -> list[str]:
    """Returns the flags that mount a stub of NVIDIA's driver where Google's nodes mount it."""
    folder = engine.folder / "driver"
    folder.mkdir(exist_ok=True)
    source = pathlib.Path(__file__).with_name("libcuda.c")
    library = folder / "libcuda.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return mounts({folder: "/usr/local/nvidia/lib64:ro"})


def gpu(engine: Engine, image: str, table: Table) -> None:
    """The shipped job for one GPU: the driver is a stub, and the bucket a folder."""
    job = Job(engine, image, USER, table)
    job.run("cxr14-preprocess", "phantom", "--images=200", "--output=/data/phantom")
    job.run("cxr14-preprocess", *NIH, "--output=/data/chestxray14/256")
    launch = [sys.executable, "-m", "trainer.launch.task", "submit", "kubernetes", "--dry_run"]
    done = subprocess.run(
        [*launch, "--job=preset:kubernetes_gpu1"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True,
    )  # fmt: skip
    flags, arguments = podman(yaml.safe_load(done.stdout))
    arguments = [argument.replace("gs://BUCKET", "/bucket") for argument in arguments]
    flags += [*mounts({job.folder: "/bucket"}), *driver(engine)]
    loaded = "the driver is loaded"
    shipped = engine.start(image, flags, arguments)
    table.row("kubernetes_gpu1 as shipped, with a stub of the driver", shipped, 78, loaded)
    small = engine.start(image, flags, [*arguments, *SMALL])
    table.row("kubernetes_gpu1 on the CPU, at 32 px for 1 epoch", small, 0, loaded)


def preprocess(engine: Engine, image: str, table: Table) -> None:
    """The image of Beam's workers: as a pod by itself, and as what a runner starts."""
    job = Job(engine, image, USER, table)
    job.preprocess(images=300)
    job.run("cxr14-train", *TRAIN, wanted=64, says="configs/requirements/default.txt")
    own(job.folder, 0)
    code, seconds = workers.run(engine, image, job.folder, [*NIH, "--output=/data/by_workers"])
    print(f"| workers of a Beam runner, in containers | {code} | {seconds:.1f} |", flush=True)
    same = workers.shards(job.folder / "by_workers") == workers.shards(job.folder / "shards")
    if code or not same:
        table.wrong.append("workers in containers did not make the same shards")


def serve(engine: Engine, image: str, table: Table) -> None:
    """The image of a model's answers, with a model of this machine: by files, and by HTTP."""
    job = Job(engine, image, USER, table)
    data = [argument.replace("/data", str(job.folder)) for argument in [*NIH, SHARDS, *TRAIN]]
    shards, train = data[: len(NIH) + 1], data[len(NIH) + 1 :]
    phantom = ["phantom", "--images=200", f"--output={job.folder}/phantom"]
    for module, flags in (
        ("preprocessing", phantom),
        ("preprocessing", shards),
        ("trainer", train),
    ):
        subprocess.run(
            [sys.executable, "-m", f"{module}.task", *flags],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True,
        )  # fmt: skip
    own(job.folder, USER)
    scores = ("/data/phantom/images_001", "--output=/data/scores.csv")
    job.run("cxr14-predict", "--model=/data/run", *scores)
    flags = [*job.flags, *(f"--env={name}={value}" for name, value in VERTEX.items())]
    begun = time.monotonic()
    container = engine.start(image, flags, [])
    container.until(lambda text: "the model is ready" in text)
    seconds = time.monotonic() - begun
    print(f"| ready, by Vertex AI's variables | | {seconds:.1f} |", flush=True)
    said = engine.podman("exec", container.name, "python", "-c", ASK).split()
    if said != ["200", "True", "14", "scores"]:
        table.wrong.append(f"{image} answers {said}")
    container.stop()
    table.row("cxr14-predict --serve: SIGTERM", container, 0)


FLAVORS: dict[str, Callable[[Engine, str, Table], None]] = {
    "default": default,
    "gpu": gpu,
    "preprocess": preprocess,
    "serve": serve,
}


def costs(engine: Engine, image: str) -> None:
    """Prints what the layers and the largest packages take."""
    base, own_part = engine.sizes(image)
    print(f"\n{image}: {(base + own_part) / 1e9:.2f} GB\n\n| MB | what |\n|---|---|")
    print(f"| {base / 1e6:.0f} | layers of the base image |\n| {own_part / 1e6:.0f} | others |")
    for name, size in engine.packages(image, 16):
        print(f"| {size / 1e6:.0f} | of them {name} |")
    print(flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 where anything ended otherwise than it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flavors", default=",".join(FLAVORS), help="with commas between them")
    wanted = parser.parse_args(argv).flavors.split(",")
    if unknown := sorted(set(wanted) - FLAVORS.keys()):
        parser.error(f"no test of flavor {unknown[0]!r}: there are {', '.join(FLAVORS)}")
    names = arguments_of_dockerfile()
    with Engine() as engine:
        engine.make_base(names["BASE"])
        if "preprocess" in wanted:
            workers.make_sdk(engine, names["BEAM_SDK"])
        wrong = []
        for flavor in wanted:
            begun = time.monotonic()
            image = engine.build(flavor)
            print(f"\n{flavor}: built in {time.monotonic() - begun:.0f} s", flush=True)
            costs(engine, image)
            table = Table()
            FLAVORS[flavor](engine, image, table)
            wrong += table.wrong
            engine.podman("rmi", "--force", image)
    print("\n" + ("\n\n".join(["WRONG:", *wrong]) if wrong else "all as they should be"))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
