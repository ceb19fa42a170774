"""Any number of processes, the same weights: `python torchrun.py`, or `torchrun --nproc-per-node 2 torchrun.py`."""

import os

import torch
import torch.distributed as dist
from digits import EPOCHS, Network, figures, loader, losses_of

from polygraft import Balance

torch.set_num_threads(1)  # two threads add up in another order than one
if "RANK" in os.environ:  # set by torchrun
    dist.init_process_group("gloo")  # nccl on GPUs
rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)

PARTS = 2  # of a batch: shared out among the processes, and accumulated where one process has several
mine = range(rank * PARTS // world, (rank + 1) * PARTS // world)

model = Network()  # equal on every rank, for it is seeded; no DDP is needed around it
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
balance = Balance("pcgrad", shared=model.trunk.parameters(), layer=model.trunk[-1])
conflicts = []
batches = loader()
for _epoch in range(EPOCHS):
    for images, digits in batches:
        optimizer.zero_grad()
        for part in mine:
            rows = slice(part * len(images) // PARTS, (part + 1) * len(images) // PARTS)
            losses = losses_of(model(images[rows]), digits[rows])
            counts = dict.fromkeys(losses, len(digits[rows]))
            seen = balance.backward(losses, counts, last=part == mine[-1])
        optimizer.step()
        conflicts.append(seen.conflict_rate)

print(f"rank {rank} of {world}: {figures(model, conflicts)}")
if dist.is_initialized():
    dist.destroy_process_group()
