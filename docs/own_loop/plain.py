"""A plain PyTorch loop: `python plain.py`."""

import torch
from digits import EPOCHS, Network, figures, loader, losses_of

from polygraft import Balance

model = Network()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
balance = Balance("pcgrad", shared=model.trunk.parameters(), layer=model.trunk[-1])
conflicts = []
batches = loader()
for _epoch in range(EPOCHS):
    for images, digits in batches:
        losses = losses_of(model(images), digits)
        optimizer.zero_grad()
        seen = balance.backward(losses)  # in place of sum(losses.values()).backward()
        optimizer.step()
        conflicts.append(seen.conflict_rate)

print("plain:", figures(model, conflicts))
