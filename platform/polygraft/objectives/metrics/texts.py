"""BLEU (Papineni et al. 2002, https://doi.org/10.3115/1073083.1073135) and chrF (Popović 2015, https://doi.org/10.18653/v1/W15-3049), by sacrebleu (Post 2018, https://arxiv.org/abs/1804.08771)."""

from __future__ import annotations

from collections.abc import Sequence


def bleu_and_chrf(said: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Both over all texts, from 0 to 100, as sacrebleu has them by default; each text counts once."""
    import sacrebleu

    return {
        "bleu": float(sacrebleu.corpus_bleu(said, [wanted]).score),
        "chrf": float(sacrebleu.corpus_chrf(said, [wanted]).score),
    }
