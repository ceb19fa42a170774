"""From a suite to what learns: network and objectives."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from polygraft.assembly import offers
from polygraft.assembly.placed import placed
from polygraft.core.batch import Inputs
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
    network = _network(suite, shapes, stems, wanted)
    for objective in wanted.values():
        objective.meet(network)
    return Learner(network, wanted)


def _names(suite: Suite) -> list[tuple[str, str]]:
    """(path, name) of what becomes the name of a module."""
    return [(f"{part}.{name}", name) for part in ("data", "tasks") for name in getattr(suite, part)]


def objective_of(suite: Suite, task: str, target: Target | None, inputs: Inputs) -> Objective:
    """What a task minimises. Raises UserError where it cannot read the table's inputs."""
    named = suite.tasks[task].objective
    with placed(suite, f"tasks.{task}.objective"):
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
    with placed(suite, "sharing"):
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
    with placed(suite, "backbone"):
        trunk = trunks.make(named.name, named.settings, beside=suite.folder, offer=read, width=read.width)
    assert isinstance(trunk, Trunk)
    return trunk


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
    with placed(suite, path):
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
    with placed(suite, f"tasks.{task}.objective"):
        offer = objective.stand_on(offer)
    read = offers.for_head(suite, task, name, offer)
    with placed(suite, f"tasks.{task}.head" if named else f"tasks.{task}"):
        made = heads.make(name, settings, beside=suite.folder, offer=read, size=objective.outputs, inputs=inputs)
    assert isinstance(made, Head)
    return made
