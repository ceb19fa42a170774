"""Where a trained network looked in some rows: its decoders' alignments, and its trunk's attention layer by layer and head by head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from polygraft.core.batch import Batch, Inputs
from polygraft.core.exhibits import Exhibit
from polygraft.data.batches import num_chunks, sequential
from polygraft.data.preparation import Prepared
from polygraft.models.network import Network
from polygraft.models.trunks.transformer import Transformer
from polygraft.objectives.sequence_pictures import alignments
from polygraft.training.learner import Learner

ROWS = 4
"""Of the test split, in its middle: by these it is seen, not measured."""


@torch.no_grad()
def looks(prepared: Mapping[str, Prepared], learner: Learner, device: torch.device) -> list[Exhibit]:
    """Of each table that is one text or list of levels, on some test rows; the learner's mode is left as it was."""
    training, found = learner.training, list[Exhibit]()
    learner.eval()
    for name, table in prepared.items():
        words = table.preprocessor.words()
        chunks = range(num_chunks(table, "test", ROWS) if len(words) == 1 else 0)
        for batch in sequential(table, "test", ROWS, chunks=chunks[len(chunks) // 2 :][:1]):
            here = batch.to(device)
            read = _words(here, table.preprocessor.shape, words)
            view = learner.network.view({name: here})
            for task, objective in learner.tasks():
                if learner.network.tables[task] == name:
                    found += objective.looks(view, read)
            found += _of_trunk(learner.network, name, here, read)
    learner.train(training)
    return found


def _words(batch: Batch, shape: Inputs, words: Mapping[str, list[str]]) -> list[list[str]]:
    """The tokens that each row reads."""
    ((name, known),) = words.items()
    input_ = next(each for each in shape.others if each.name == name)
    tokens = batch.inputs[name]
    mask = batch.inputs[input_.mask] if input_.masked else tokens == tokens
    return [[known[code] for code in row[there].tolist()] for row, there in zip(tokens, mask, strict=True)]


def _of_trunk(network: Network, table: str, batch: Batch, read: list[list[str]]) -> Iterator[Exhibit]:
    """Each head of each layer in the first row, of a transformer that all tasks share."""
    for trunk in network.sharing.children():
        if isinstance(trunk, Transformer) and read and read[0]:
            for layer, maps in enumerate(trunk.attention(network.stems[table](batch.inputs)), 1):
                heads = [read[0]] * maps.shape[1]
                yield from alignments(f"{table}: layer {layer}, head", maps[0], heads, heads)
