"""Out-of-fold class probabilities (Stone 1974, cross-validatory choice): what a small boosted model says of rows that it never saw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.core.seeding import numpy_generator

FOLDS = 5
MOST_ROWS = 20_000
_LEVELS = 254  # scikit-learn's trees take 255 bins, and one is for what is missing


def out_of_fold(
    columns: Mapping[str, pa.ChunkedArray], labels: np.ndarray, *, seed: int, folds: int = FOLDS, most: int = MOST_ROWS
) -> np.ndarray:
    """float64 [rows, classes]: each row's class probabilities, by a model fitted on the other folds.

    Histogram gradient boosting (Ke et al. 2017, as scikit-learn has it): missing values and categories need no cleaning. The
    folds are stratified; a model learns from `most` rows at most. labels: int64 [rows] in 0 .. classes - 1, each with a row.
    A pure function of its arguments: chance is counted, and one thread is used.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    values, categorical = matrix(columns)
    order = numpy_generator(seed, "folds").permutation(len(labels))
    fold = np.empty(len(labels), np.int64)
    fold[order[np.argsort(labels[order], kind="stable")]] = np.arange(len(labels)) % folds
    found = np.zeros((len(labels), int(labels.max()) + 1))
    for held in range(folds):
        others, mine = order[fold[order] != held][:most], fold == held
        classes = np.unique(labels[others])
        if len(classes) == 1:
            found[mine, classes[0]] = 1
        elif mine.any():
            model = HistGradientBoostingClassifier(
                learning_rate=0.2,
                max_iter=30,
                max_leaf_nodes=15,
                early_stopping=False,
                categorical_features=categorical,
                random_state=0,
            )
            shown, asked = values[others], values[mine]
            shown[:, np.isnan(shown).all(0)] = 0  # scikit-learn cannot bin a column of which it knows nothing
            with threadpool_limits(1, "openmp"):  # more, beside other busy processes, were 27 times slower
                found[np.ix_(mine, classes)] = model.fit(shown, labels[others]).predict_proba(asked)
    return found


def matrix(columns: Mapping[str, pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
    """float32 [rows, width] of the columns that trees can read, and which of these are categories, bool [width].

    Missing and infinite values are NaN; a category is the place of its level by how often it occurs, beyond 254 NaN.
    Columns of nested and binary types are left out.
    """
    read = [each for each in map(_numbers, columns.values()) if each is not None]
    if not read:
        rows = len(next(iter(columns.values()))) if columns else 0
        return np.zeros((rows, 1), np.float32), np.zeros(1, bool)
    values = np.stack([each for each, _ in read], 1)
    values[~np.isfinite(values)] = np.nan
    return values, np.array([categorical for _, categorical in read])


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, bool] | None:
    """(float32 [rows], whether it is a category) of one column."""
    types, type_ = pa.types, column.type
    if types.is_nested(type_) or types.is_binary(type_) or types.is_large_binary(type_) or types.is_null(type_):
        return None
    if types.is_dictionary(type_) or types.is_string(type_) or types.is_large_string(type_):
        return _codes(column), True
    if types.is_timestamp(type_) or types.is_date64(type_) or types.is_time64(type_) or types.is_duration(type_):
        column = column.cast(pa.int64())
    elif types.is_date32(type_) or types.is_time32(type_):
        column = column.cast(pa.int32())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float32), False


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    texts = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    counts = pc.value_counts(texts.drop_null())
    levels, numbers = counts.field("values"), np.asarray(counts.field("counts"))
    ordered = levels.take(pa.array(np.argsort(-numbers, kind="stable")[:_LEVELS]))
    codes = pc.index_in(texts, ordered, skip_nulls=True).combine_chunks()
    return np.asarray(codes.cast(pa.float32()).to_numpy(zero_copy_only=False), np.float32)
