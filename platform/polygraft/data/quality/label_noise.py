"""Labels that are likely wrong, by confident learning (Northcutt, Jiang and Chuang 2021, https://arxiv.org/abs/1911.00068, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from polygraft.core.seeding import counter
from polygraft.data.confident_learning import suspects
from polygraft.data.out_of_fold import out_of_fold
from polygraft.data.quality.base import Check, Finding, Severity
from polygraft.data.spec import TargetSpec
from polygraft.data.survey import Survey

LEAST_ROWS, MOST_ROWS, MOST_CLASSES = 200, 5_000, 10
LEARNT, NOISY = 0.05, 0.05


class LabelNoise(Check):
    """Targets of two to ten classes: labels that a small boosted model, which never saw them, confidently contradicts.

    On the sample, each fold's model learning from 5,000 rows. Nothing is told where the model takes off less than a twentieth of
    the error of always saying the commonest class: what it cannot tell it cannot contradict.
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        for target in seen.spec.targets:
            if target.kind == "category" and seen.features:
                yield from _contradicted(seen, target)


def _contradicted(seen: Survey, target: TargetSpec) -> Iterable[Finding]:
    name = target.columns[0]
    codes, classes = pd.factorize(seen.sample.column(name).to_pandas(), sort=True)
    known = np.flatnonzero(codes >= 0)
    if len(known) < LEAST_ROWS or not 2 <= len(classes) <= MOST_CLASSES:
        return
    labels = codes[known].astype(np.int64)
    columns = {each: seen.sample.column(each).take(known) for each in seen.features}
    seed = counter(seen.spec.seed, "label_noise", target.task)
    said = out_of_fold(columns, labels, seed=seed, most=MOST_ROWS)
    blind = 1 - np.bincount(labels).max() / len(labels)
    if (said.argmax(1) != labels).mean() > (1 - LEARNT) * blind:
        return
    share = float(suspects(labels, said).mean())
    if share:
        severe: Severity = "warning" if share > NOISY else "note"
        words = f"{share:.1%} of the labels of {name} are contradicted by a small model that never saw them"
        mend = f"clean: [{{name: label_noise, task: {target.task}}}, {{name: missing}}]"
        yield Finding("label_noise", severe, f"columns.{name}", share, "of labels", words, mend)
