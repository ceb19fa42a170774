"""From a suite to what moves a learner's parameters: balancer, optimisers, players, and on which device."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.optim import Optimizer

from polygraft.assembly.placed import placed
from polygraft.balancing import registry as balancers
from polygraft.balancing.base import Balancer
from polygraft.balancing.collectives import Shards
from polygraft.balancing.gradients import Gradients, choose_mode
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import fault
from polygraft.suite.schema import Suite
from polygraft.training.learner import Learner
from polygraft.training.optimizers import optimizer
from polygraft.training.players import Players
from polygraft.training.ranks import rank, world


def gradients(suite: Suite, learner: Learner, shards: Shards | None = None) -> Gradients:
    """The balancing engine over this rank's shards; `shards`: over these, of this process alone. Raises UserError when the mode
    asked for is not to be had.
    """
    said, network = suite.balancer, learner.network
    # What a task reads of the shared part in a pass of its own is at no cut.
    one_pass = all(each.views == ("plain",) for task, each in learner.tasks() if suite.tasks[task].weight > 0)
    tasks = tuple(suite.tasks)
    facts = catalogue("balancing", suite.folder)[said.name].facts
    with placed(suite, "balancer"):
        mode = choose_mode(
            said.gradients,
            said.name,
            facts,
            has_cut=network.sharing.cuts and one_pass,
            has_layer=network.last_layer() is not None and one_pass,
            one_input=len(network.stems) == 1,
        )
        method = balancers.make(said.name, said.settings, beside=suite.folder, tasks=len(tasks), names=tasks)
    assert isinstance(method, Balancer)
    return Gradients(
        method,
        mode=mode,
        tasks=tasks,
        shared=network.shared_parameters(),
        own={task: learner.behind(task) for task in tasks},
        shards=shards or Shards(suite.train.shards, rank(), world()),
        seed=suite.seed,
        rank=said.rank,
        agreement_every=said.agreement_every,
        every=said.every,
    )


def mover(suite: Suite, learner: nn.Module) -> Optimizer:
    """The optimiser over everything that is trainable."""
    return optimizer_of(suite, [(n, p) for n, p in learner.named_parameters() if p.requires_grad])


def main_mover(suite: Suite, learner: Learner) -> Optimizer:
    """The optimiser of what `main` moves: all that is trainable, but for what other players keep to themselves."""
    main = {*learner.network.parameters(), *(each for task in suite.tasks for each in learner.behind(task))}
    return optimizer_of(suite, [(n, p) for n, p in learner.named_parameters() if p.requires_grad and p in main])


def players_of(suite: Suite, learner: Learner) -> Players:
    """Who moves beside `main`, over this rank's shards. Raises UserError where workers learn apart, and one alone keeps optimisers."""
    shards = Shards(suite.train.shards, rank(), world())
    found = Players(learner, partial(optimizer_of, suite), shards)
    step = suite.train.step.name
    if found.seats and catalogue("training/steps", suite.folder)[step].facts["apart"]:
        what = f"'{step}' moves one player a task, and '{found.seats[0].name}' moves beside main. Take joint."
        raise fault(f"train.step: {what}", suite.where("train.step"))
    return found


def optimizer_of(suite: Suite, named: list[tuple[str, nn.Parameter]]) -> Optimizer:
    """The suite's optimiser over named parameters."""
    settings = suite.train.optimizer.model_dump()
    name, lr = settings.pop("name"), settings.pop("lr")
    return optimizer(name, named, lr=lr, **settings)


def device_of(suite: Suite) -> torch.device:
    """`train.device`, with `auto` decided: CUDA where workers were given GPUs, else the CPU."""
    asked = suite.train.device
    if asked != "auto":
        return torch.device(asked)
    return torch.device("cuda" if suite.workers.gpus > 0 and torch.cuda.is_available() else "cpu")
