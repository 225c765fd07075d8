# SPDX-License-Identifier: MIT
"""Augments uint8 tensors by torchvision in two workers; asked as `torch_loader.py` is."""

import sys
import time

import torch
from torch.utils.data import DataLoader
from torchvision.transforms import InterpolationMode, v2

stored, size, batch = map(int, sys.argv[1:])
turn = v2.RandomRotation(7, interpolation=InterpolationMode.BILINEAR)
tone = v2.ColorJitter(brightness=0.1, contrast=0.1)
change = v2.Compose([turn, v2.RandomResizedCrop(size), v2.RandomHorizontalFlip(), tone])
pixels = torch.randint(0, 256, (batch, 1, stored, stored), dtype=torch.uint8)
loader = DataLoader(
    range(10**9), batch, num_workers=2, collate_fn=lambda _: torch.stack(list(map(change, pixels)))
)
batches = iter(loader)
for request in sys.stdin:
    for _ in range(6):  # what the workers have made while nobody asked
        next(batches)
    start = time.perf_counter()
    for _ in range(int(request)):
        next(batches)
    print(int(request) * batch / (time.perf_counter() - start), flush=True)
