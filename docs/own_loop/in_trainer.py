"""A Hugging Face Trainer: `python in_trainer.py`, or `python in_trainer.py 2` for two micro-batches a step."""

import sys
import tempfile

import torch
from digits import BATCH, EPOCHS, Network, figures, loader, losses_of
from transformers import Trainer, TrainingArguments

from polygraft import Balance


class BalancedTrainer(Trainer):
    """shared, layer: as Balance takes them."""

    def __init__(self, *args, shared, layer, **options):
        super().__init__(*args, **options)
        self.balance = Balance("pcgrad", shared=shared, layer=layer)
        self.conflicts = []

    def training_step(self, model, inputs, num_items_in_batch=None):
        model.train()
        images, digits = self._prepare_inputs(inputs)
        with self.compute_loss_context_manager():  # autocast, where the arguments ask for it
            losses = losses_of(model(images), digits)
        accelerator = self.accelerator  # it says which micro-batch is a step's last, and steps the optimiser after that
        seen = self.balance.backward(losses, last=accelerator.sync_gradients, scaler=accelerator.scaler)
        if seen is not None:
            self.conflicts.append(seen.conflict_rate)
        return sum(losses.values()).detach() / self.args.gradient_accumulation_steps

    def get_train_dataloader(self):
        return loader(self.args.per_device_train_batch_size)


micro = int(sys.argv[1]) if len(sys.argv) > 1 else 1
model = Network()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=BATCH // micro,
        gradient_accumulation_steps=micro,
        num_train_epochs=EPOCHS,
        max_grad_norm=0,  # plain.py does not clip; by default a Trainer does, after the backward, and may here
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = BalancedTrainer(
        model, arguments, optimizers=(optimizer, schedule), shared=model.trunk.parameters(), layer=model.trunk[-1]
    )
    trainer.train()

print("trainer:", figures(model, trainer.conflicts))
