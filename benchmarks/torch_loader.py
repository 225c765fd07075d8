# SPDX-License-Identifier: MIT
"""A PyTorch DataLoader over PNG files, as people write it; prints images/s of each request.

    python torch_loader.py FOLDER RESIZE CROP BATCH WORKERS

It is run by an interpreter that has torch, torchvision and Pillow; nothing of this project is
imported. Each line on stdin, a number of batches, is answered by a line with images/s.
"""

import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms

# More than anybody asks for: without it the workers would start anew with every epoch, which costs
# a share of so small an epoch that it would not be fair.
_ENDLESS = 10_000_000


class Pictures(Dataset):
    """The PNG files of a folder as float32 [1, crop, crop] in 0 to 1."""

    def __init__(self, folder: str, resize: int, crop: int) -> None:
        self._paths = sorted(pathlib.Path(folder).rglob("*.png"))
        steps = [transforms.Resize(resize)] if resize else []
        self._transform = transforms.Compose(
            [*steps, transforms.RandomCrop(crop), transforms.ToTensor()]
        )

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._paths)

    def __getitem__(self, index: int) -> Any:
        """Returns one of them."""
        with Image.open(self._paths[index]) as picture:
            return self._transform(picture.convert("L"))


def main() -> None:
    """Answers requests until stdin ends."""
    folder, resize, crop, batch, workers = sys.argv[1], *map(int, sys.argv[2:])
    # The two workers have the two cores; the main process only hands batches on.
    torch.set_num_threads(1)
    pictures = Pictures(folder, resize, crop)
    loader = DataLoader(
        pictures,
        batch_size=batch,
        sampler=RandomSampler(pictures, num_samples=_ENDLESS),
        num_workers=workers,
    )
    batches: Iterator[Any] = iter(loader)
    for request in sys.stdin:
        # What the workers have made while nobody asked.
        for _ in range(3 * workers):
            next(batches)
        count = int(request)
        start = time.perf_counter()
        for _ in range(count):
            next(batches)
        print(count * batch / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
