"""Beam search (Graves 2012, https://arxiv.org/abs/1211.3711, section 2.4), with the length normalisation of Wu et al. 2016 (https://arxiv.org/abs/1609.08144), equation 14; of width 1 it is greedy."""

from __future__ import annotations

import torch
from torch import Tensor

from polygraft.core.features import Features
from polygraft.models.decoding import BEGIN, END, Decoding, State, said

ROWS = 512
"""Rows searched at once. Fixed: what a row's beams come to depends on no other row, but a matrix product's bits on their number."""


@torch.no_grad()
def search(decoder: Decoding, features: Features, limit: int, *, width: int = 1, norm: float = 0.0) -> Tensor:
    """Codes [rows, limit] of the best sequence found, 0 behind its end; what has no end after `limit` items is cut there.

    width: beams of a row. norm: a sequence's log-probability is divided by ((5 + n) / 6)^norm, n its items and its end.
    """
    rows = len(features.tensors[0])
    found = [_search(decoder, part(features, slice(i, i + ROWS)), limit, width, norm) for i in range(0, rows, ROWS)]
    return torch.cat(found) if found else features.tensors[0].new_zeros((0, limit), dtype=torch.long)


def part(features: Features, rows: slice) -> Features:
    """These rows of features."""
    mask = None if features.mask is None else features.mask[rows]
    cut = features.with_tensors([each[rows] for each in features.tensors])
    return Features(cut.vector, cut.sequence, mask, cut.maps)


def _search(decoder: Decoding, features: Features, limit: int, width: int, norm: float) -> Tensor:
    """All beams of all rows at each item; [rows, width] lie end to end where the decoder sees them."""
    state = decoder.begin(features)
    rows = len(state[0])
    state = tuple(each.repeat_interleave(width, 0) for each in state)
    codes = torch.zeros((rows, width, limit), dtype=torch.long, device=state[0].device)
    scores = torch.full((rows, width), -torch.inf, dtype=torch.float64, device=state[0].device)
    scores[:, 0] = 0  # all beams begin alike: one is enough
    lengths = torch.zeros_like(codes[:, :, 0])
    ended = torch.zeros_like(lengths, dtype=torch.bool)
    last = torch.full((rows * width,), BEGIN, device=state[0].device)
    for place in range(limit):
        logits, state, _ = decoder.step(state, last)
        chances = _continued(logits.double().log_softmax(1).unflatten(0, (rows, width)), ended)
        scores, best = (scores[:, :, None] + chances).flatten(1).topk(width, 1)
        beam, classes = best // chances.shape[2], best % chances.shape[2]
        state = _follow(state, beam)
        codes, lengths, ended = (_chosen(each, beam) for each in (codes, lengths, ended))
        lengths = lengths + ~ended
        codes[:, :, place] = said(classes)  # the end is 0, as padding is
        ended = ended | (classes == END)
        last = said(classes).flatten()
        if bool(ended.all()):
            break
    best = (scores / ((5 + lengths) / 6) ** norm).argmax(1, keepdim=True)
    return _chosen(codes, best).squeeze(1)


def _continued(chances: Tensor, ended: Tensor) -> Tensor:
    """Log-probabilities [rows, width, size]: what has ended stays as it is, at no cost."""
    stays = torch.full_like(chances[0, 0], -torch.inf)
    stays[END] = 0
    return torch.where(ended[:, :, None], stays, chances)


def _follow(state: State, beam: Tensor) -> State:
    """The state of the beams [rows, width] that each of the new ones comes from."""
    rows, width = beam.shape
    places = (torch.arange(rows, device=beam.device)[:, None] * width + beam).flatten()
    return tuple(each[places] for each in state)


def _chosen(each: Tensor, beam: Tensor) -> Tensor:
    """[rows, beams, ...] of [rows, width, ...]."""
    at = beam.view(*beam.shape, *[1] * (each.ndim - 2)).expand(*beam.shape, *each.shape[2:])
    return each.gather(1, at)
