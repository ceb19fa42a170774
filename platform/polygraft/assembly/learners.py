"""From a suite to what learns: network, objectives, balancer, optimiser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.optim import Optimizer

from polygraft.assembly import offers
from polygraft.balancing import registry as balancers
from polygraft.balancing.base import Balancer
from polygraft.balancing.collectives import Shards
from polygraft.balancing.gradients import Gradients, choose_mode
from polygraft.core.batch import Inputs
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import Fault, UserError, fault
from polygraft.core.features import Offer
from polygraft.core.seeding import counter
from polygraft.data.target import Target
from polygraft.models.base import Head, Sharing, Stem, Trunk
from polygraft.models.heads import registry as heads
from polygraft.models.network import Network
from polygraft.models.sharing import registry as sharings
from polygraft.models.stems import registry as stems
from polygraft.models.trunks import registry as trunks
from polygraft.objectives import registry as objectives
from polygraft.objectives.base import Objective
from polygraft.suite.schema import Named, Suite
from polygraft.training.learner import Learner
from polygraft.training.optimizers import optimizer
from polygraft.training.players import Players
from polygraft.training.ranks import rank, world


def learner(
    suite: Suite,
    shapes: Mapping[str, Inputs],
    targets: Mapping[str, Target],
    *,
    grown: Mapping[str, Stem] | None = None,
) -> Learner:
    """Network and objectives with fresh weights, a pure function of the suite's seed.

    shapes: each table's encoded inputs. targets: what is known of the targets of the tasks that have one. grown: stems in
        place of the suite's.
    Raises UserError when a backbone does not fit the tables, or a head the backbone.
    """
    taken = [(path, name) for path, name in _names(suite) if hasattr(nn.ModuleDict(), name)]
    if taken:
        what = "is a word that torch keeps for its modules. Choose another name"
        raise UserError([Fault(suite.where(path), f"{path}: '{name}' {what}.") for path, name in taken])
    torch.manual_seed(counter(suite.seed, "weights"))
    wanted = {
        name: objective_of(suite, name, targets.get(name), shapes[task.tables[0]]) for name, task in suite.tasks.items()
    }
    stems = grown or {table: stem_of(suite, table, shape) for table, shape in shapes.items()}
    return Learner(_network(suite, shapes, stems, wanted), wanted)


def _names(suite: Suite) -> list[tuple[str, str]]:
    """(path, name) of what becomes the name of a module."""
    return [(f"{part}.{name}", name) for part in ("data", "tasks") for name in getattr(suite, part)]


def objective_of(suite: Suite, task: str, target: Target | None, inputs: Inputs) -> Objective:
    """What a task minimises. Raises UserError where it cannot read the table's inputs."""
    named = suite.tasks[task].objective
    with _placed(suite, f"tasks.{task}.objective"):
        made = objectives.make(named.name, named.settings, beside=suite.folder, task=task, target=target, inputs=inputs)
    assert isinstance(made, Objective)
    return made


def _network(
    suite: Suite, shapes: Mapping[str, Inputs], grown: Mapping[str, Stem], wanted: Mapping[str, Objective]
) -> Network:
    """Stems, the shared backbone, a head a task."""
    found = {stem.offer for stem in grown.values()}
    if len(found) > 1:
        said = ", ".join(f"'{table}' {stem.offer.kind} of {stem.offer.width}" for table, stem in grown.items())
        raise fault(
            f"backbone: one trunk reads all tables, but they offer {said}. Give each `stem: {{name: columns, width: 64}}`.",
            suite.where("backbone"),
        )
    (offer,) = found

    way, tasks = suite.sharing, tuple(suite.tasks)
    with _placed(suite, "sharing"):
        sharing = sharings.make(
            way.name,
            way.settings,
            beside=suite.folder,
            make_trunk=lambda: trunk_of(suite, offer),
            tasks=tasks,
            offer=offer,
        )
    assert isinstance(sharing, Sharing)
    tables = {name: task.tables[0] for name, task in suite.tasks.items()}
    ends = {task: head_of(suite, wanted[task], sharing.offer, shapes[tables[task]]) for task in tasks}
    return Network(grown, sharing, ends, tables)


def trunk_of(suite: Suite, offer: Offer) -> Trunk:
    """The suite's backbone on what a stem offers. Raises UserError where it reads something else."""
    named, read = suite.backbone, offers.for_trunk(suite, offer)
    with _placed(suite, "backbone"):
        trunk = trunks.make(named.name, named.settings, beside=suite.folder, offer=read, width=read.width)
    assert isinstance(trunk, Trunk)
    return trunk


@contextmanager
def _placed(suite: Suite, path: str) -> Iterator[None]:
    """A plugin cannot know where it is mentioned: a fault without a place is one of `path`."""
    try:
        yield
    except UserError as error:
        faults = [each if each.where else Fault(suite.where(path), f"{path}: {each.what}") for each in error.faults]
        raise UserError(faults) from None


def stem_named(suite: Suite, table: str, shape: Inputs) -> Named:
    """A table's stem: the one it names, else by the kinds of its inputs."""
    if named := suite.data[table].stem:
        return named
    kinds = set(shape.kinds)
    if kinds <= {"numbers", "categories"}:
        return Named(name="columns")
    return Named(name=shape.kinds[0] if len(kinds) == 1 else "joined")


def stem_of(suite: Suite, table: str, shape: Inputs) -> Stem:
    """A table's stem with fresh weights. Raises UserError where it does not read all that the table has."""

    def make_stem(name: str, settings: Mapping[str, object], inputs: Inputs) -> Stem:
        made = stems.make(name, settings, beside=suite.folder, inputs=inputs, make_stem=make_stem)
        assert isinstance(made, Stem)
        return made

    path = f"data.{table}.stem"
    with _placed(suite, path):
        named = stem_named(suite, table, shape)
        stem = make_stem(named.name, named.settings, shape)
    if unread := [kind for kind in shape.kinds if stem.reads is not None and kind not in stem.reads]:
        mend = "Take `joined`, which has a stem for each, or drop the columns."
        raise fault(f"{path}: '{named.name}' reads no {unread[0]}, and the table has some. {mend}", suite.where(path))
    return stem


def head_of(suite: Suite, objective: Objective, offer: Offer, inputs: Inputs) -> Head:
    """A task's head on what its objective makes of what the backbone offers: the suite's, else the objective's own.

    Raises UserError where it reads something else.
    """
    task = objective.task
    named = suite.tasks[task].head
    name, settings = (named.name, named.settings) if named else (objective.default_head, {})
    with _placed(suite, f"tasks.{task}.objective"):
        offer = objective.stand_on(offer)
    read = offers.for_head(suite, task, name, offer)
    with _placed(suite, f"tasks.{task}.head" if named else f"tasks.{task}"):
        made = heads.make(name, settings, beside=suite.folder, offer=read, size=objective.outputs, inputs=inputs)
    assert isinstance(made, Head)
    return made


def gradients(suite: Suite, learner: Learner) -> Gradients:
    """The balancing engine over this rank's shards. Raises UserError when the mode asked for is not to be had."""
    said, network = suite.balancer, learner.network
    # What a task reads of the shared part in a pass of its own is at no cut.
    one_pass = all(each.views == ("plain",) for task, each in learner.tasks() if suite.tasks[task].weight > 0)
    tasks = tuple(suite.tasks)
    facts = catalogue("balancing", suite.folder)[said.name].facts
    with _placed(suite, "balancer"):
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
        shards=Shards(suite.train.shards, rank(), world()),
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
    """Who moves beside `main`, over this rank's shards."""
    shards = Shards(suite.train.shards, rank(), world())
    return Players(learner, partial(optimizer_of, suite), shards)


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
