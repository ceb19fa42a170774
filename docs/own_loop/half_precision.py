"""Half precision with a GradScaler, clipping, and micro-batches in one loop: `python half_precision.py`."""

import torch
from digits import BATCH, EPOCHS, Network, figures, loader, losses_of

from polygraft import Balance

MICRO = 2  # micro-batches of a step

model = Network()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
balance = Balance("pcgrad", shared=model.trunk.parameters(), layer=model.trunk[-1])
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)  # too much: the first steps overflow and are skipped
conflicts, skipped = [], 0
micro_batches = loader(BATCH // MICRO)
for _epoch in range(EPOCHS):
    for i, (images, digits) in enumerate(micro_batches, 1):
        with torch.autocast("cpu", torch.float16):
            losses = losses_of(model(images), digits)
        last = i % MICRO == 0 or i == len(micro_batches)
        seen = balance.backward(losses, last=last, scaler=scaler)  # losses as they are: neither scaled nor divided
        if not last:
            continue
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)  # skips a step that overflowed on any rank; balance has, too
        scaler.update()
        optimizer.zero_grad()
        if seen is None:
            skipped += 1  # balance.overflow says whose gradient it was
        else:
            conflicts.append(seen.conflict_rate)

print(f"half precision: {skipped} skipped, scale {scaler.get_scale():g},", figures(model, conflicts))
