"""Inside Lightning's manual optimisation: `python in_lightning.py`."""

import lightning
import torch
from digits import EPOCHS, Network, figures, loader, losses_of

from polygraft import Balance


class Digits(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = Network()
        self.balance = Balance("pcgrad", shared=self.model.trunk.parameters(), layer=self.model.trunk[-1])
        self.conflicts = []

    def training_step(self, batch, _index):
        images, digits = batch
        losses = losses_of(self.model(images), digits)
        optimizer = self.optimizers()
        optimizer.zero_grad()
        seen = self.balance.backward(losses)  # in place of self.manual_backward(sum(losses.values()))
        optimizer.step()
        self.conflicts.append(seen.conflict_rate)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-3)

    def on_save_checkpoint(self, checkpoint):
        checkpoint["balance"] = self.balance.state_dict()

    def on_load_checkpoint(self, checkpoint):
        self.balance.load_state_dict(checkpoint["balance"])


quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
module = Digits()
lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", devices=1, **quiet).fit(module, loader())

print("lightning:", figures(module.model, module.conflicts))
