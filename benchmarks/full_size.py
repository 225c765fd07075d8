# SPDX-License-Identifier: MIT
"""The whole job at full size: 112,120 rows over 2,000 distinct pictures, with the memory it takes.

    python -m benchmarks.full_size [--folder=DIR] [--rows=112120] [--pictures=2000]

The names of the rows lead to the pictures by symbolic links, so nothing else differs from the real
data set but the repetition, which the job duly reports as identical pixels.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import psutil

from preprocessing import phantom
from preprocessing.phantom import files as phantom_files

_POLL_S = 0.25


def make_tree(folder: pathlib.Path, *, rows: int, pictures: int) -> pathlib.Path:
    """Makes a phantom whose label files hold all rows, and links names to the pictures there are.

    Args:
        folder: where the phantom lies or is made.
        rows: lines of the label file.
        pictures: distinct pictures.

    Returns:
        The phantom's folder.
    """
    tree = folder / f"phantom-{rows}-{pictures}"
    phantom.write(str(tree), images=rows, seed=0, image_files=pictures)
    lines = (tree / "Data_Entry_2017_v2020.csv").read_text().splitlines()[1:]
    names = sorted(line.partition(",")[0] for line in lines)
    real = sorted(path for path in tree.rglob("*.png") if not path.is_symlink())
    for at, name in enumerate(names[len(real) :], start=len(real)):
        link = tree / phantom_files.folder_of(at) / "images" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(real[at % len(real)])
    return tree


def run_job(tree: pathlib.Path, output: pathlib.Path, *more: str) -> dict[str, object]:
    """Runs the job as a user would, and watches the memory of each of its processes.

    Returns:
        Seconds, images/s, MiB of peak resident memory of each process, and shard sizes.
    """
    command = [
        *(sys.executable, "-m", "preprocessing.task", "--source=nih", f"--images={tree}"),
        f"--labels={tree / 'Data_Entry_2017_v2020.csv'}",
        f"--train_val_list={tree / 'train_val_list.txt'}",
        f"--test_list={tree / 'test_list.txt'}",
        f"--boxes={tree / 'BBox_List_2017.csv'}",
        f"--output={output}",
        *more,
    ]
    start = time.perf_counter()
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks: dict[int, tuple[str, int]] = {}
    while job.poll() is None:
        _note_peaks(job.pid, peaks)
        time.sleep(_POLL_S)
    seconds = time.perf_counter() - start
    if job.returncode:
        raise SystemExit(f"the job ended with exit code {job.returncode}")
    manifest = json.loads((output / "manifest.json").read_text())
    records = manifest["counters"]["records_written"]
    sizes = [shard["bytes"] for split in manifest["splits"].values() for shard in split["shards"]]
    return {
        "records": records,
        "seconds": round(seconds, 1),
        "images_per_s": round(records / seconds, 1),
        "peak_MiB": [f"{name}: {peak >> 20}" for name, peak in peaks.values()],
        "shards": len(sizes),
        "largest_shard_over_mean": round(max(sizes) / statistics.mean(sizes), 3),
        "bytes": sum(sizes),
        "duplicate_groups": manifest["counters"]["duplicate_groups"],
    }


def _note_peaks(pid: int, peaks: dict[int, tuple[str, int]]) -> None:
    """Updates the high-water mark of the job's processes, as the kernel counts it."""
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("VmHWM"):
                name = "main" if process.pid == pid else "worker"
                peaks[process.pid] = (name, int(line.split()[1]) << 10)


def main() -> None:
    """Runs the job once and prints what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default="")
    parser.add_argument("--rows", type=int, default=112_120)
    parser.add_argument("--pictures", type=int, default=2_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(arguments.folder or scratch).absolute()
        tree = make_tree(folder, rows=arguments.rows, pictures=arguments.pictures)
        output = folder / f"shards-{arguments.rows}-{os.getpid()}"
        print(json.dumps(run_job(tree, output), indent=2))


if __name__ == "__main__":
    main()
