"""Texts as tokens, words or byte pairs (Sennrich, Haddow and Birch 2016, https://arxiv.org/abs/1508.07909, algorithm 1), by Hugging Face's tokenizers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from polygraft.core.batch import Input
from polygraft.core.catalogue import Range
from polygraft.data.columns import UnfitError
from polygraft.data.encoders.own_input import InputEncoder
from polygraft.data.plans import InputPlan
from polygraft.data.ragged import FIRST_CODE, UNKNOWN, Encoded, Ragged

ROWS = 4096
"""Texts that are Python strings at once."""


class Text(InputEncoder):
    """A text becomes tokens: 0 padding, 1 the unknown, then those of the vocabulary. A missing text has none.

    by: `words` cuts at spaces and punctuation; `byte_pairs` cuts words into frequent pieces, so that nothing is unknown.
    vocabulary: how many tokens are kept, the most frequent ones of the training rows.
    min_count: what occurs less often there is no word, or no pair to merge.
    lower: whether upper and lower case are one.
    max_length: longer texts lose their end; null is the longest of the training rows.
    pretrained: a `tokenizer.json` beside the suite, in place of a vocabulary of one's own; its codes are its ids + 2, and it
        adds the tokens that its model wants at both ends.
    """

    takes = ("text",)

    def __init__(
        self,
        folder: Path | None,
        /,
        by: Literal["words", "byte_pairs"] = "words",
        vocabulary: Annotated[int, Range(min=1)] = 20_000,
        min_count: Annotated[int, Range(min=1)] = 2,
        lower: bool = True,
        max_length: Annotated[int | None, Range(min=1)] = 256,
        pretrained: str | None = None,
    ) -> None:
        self.folder, self.pretrained = folder, pretrained
        self.by, self.vocabulary, self.min_count, self.lower = by, vocabulary, min_count, lower
        self.max_length = max_length

    def fit(self, name: str, column: pa.ChunkedArray, chosen: np.ndarray) -> InputPlan:
        training = column.filter(pa.array(chosen))
        state = self._read() if self.pretrained else self._train(training)
        longest = self.max_length or max(int(_tokens(state, training, None).lengths.max(initial=1)), 1)
        size = state["shift"] + _loaded(state["tokenizer"], None).get_vocab_size()
        return InputPlan(Input(f"tokens/{name}", "tokens", (None,), longest, size, masked=True), state)

    def apply(self, plan: InputPlan, column: pa.ChunkedArray) -> tuple[Encoded, int]:
        rows = _tokens(plan.state, column, plan.input.length)
        return rows, int(rows.holding(rows.values == plan.state["unknown"]).sum())

    def words(self, plan: InputPlan) -> list[str]:
        """The tokens as their tokenizer writes them."""
        codes = _loaded(plan.state["tokenizer"], plan.input.length).get_vocab()
        found = ["", "?", *[""] * plan.input.size]
        for word, code in codes.items():
            found[code + plan.state["shift"]] = word or "?"
        return found[: plan.input.size]

    def _train(self, texts: pa.ChunkedArray) -> dict[str, Any]:
        """No token is special: a text that spells one out would become padding."""
        steps = [normalizers.NFC(), *([normalizers.Lowercase()] if self.lower else [])]
        if self.by == "words":
            counter = _piped(models.WordLevel(), steps, pre_tokenizers.Whitespace())
            trainer: Any = trainers.WordLevelTrainer(
                vocab_size=self.vocabulary, min_frequency=self.min_count, special_tokens=[], show_progress=False
            )
            counter.train_from_iterator(chain.from_iterable(_strings(texts)), trainer)
            words = sorted(counter.get_vocab())
            codes = {"": 0} | {
                word: i + 1 for i, word in enumerate(words)
            }  # no word is empty: it stands for the unknown
            made = _piped(models.WordLevel(codes, unk_token=""), steps, pre_tokenizers.Whitespace())
            return {"tokenizer": made.to_str(), "shift": UNKNOWN, "unknown": UNKNOWN}
        made = _piped(models.BPE(), steps, pre_tokenizers.ByteLevel(add_prefix_space=False))
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary,
            min_frequency=self.min_count,
            special_tokens=[],
            initial_alphabet=alphabet,
            show_progress=False,
        )
        made.train_from_iterator(chain.from_iterable(_strings(texts)), trainer)
        return {"tokenizer": made.to_str(), "shift": FIRST_CODE, "unknown": UNKNOWN}

    def _read(self) -> dict[str, Any]:
        assert self.pretrained is not None
        assert self.folder is not None, "a fitted encoder is fitted again"
        file = self.folder / self.pretrained
        try:
            found = Tokenizer.from_str(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UnfitError(
                f"pretrained: '{self.pretrained}' cannot be read ({error.strerror}). It is a file beside the suite."
            ) from None
        except Exception as error:  # tokenizers raises no narrower one
            raise UnfitError(
                f"pretrained: '{self.pretrained}' is no tokenizer.json: {str(error).partition(chr(10))[0]}"
            ) from None
        found.no_padding()
        added = found.num_special_tokens_to_add(is_pair=False)
        if self.max_length is not None and self.max_length <= added:
            what = f"max_length: {self.max_length} has no room beside the {added} tokens that '{self.pretrained}' adds to each text."
            raise UnfitError(f"{what} Take {added + 1} or more.")
        word = getattr(found.model, "unk_token", None)
        code = found.token_to_id(word) if word else None
        return {
            "tokenizer": found.to_str(),
            "shift": FIRST_CODE,
            "unknown": UNKNOWN if code is None else code + FIRST_CODE,
        }


def _piped(model: Any, steps: Sequence[Any], cut: Any) -> Tokenizer:
    made = Tokenizer(model)
    made.normalizer, made.pre_tokenizer = normalizers.Sequence(list(steps)), cut  # type: ignore[attr-defined]
    return made


@lru_cache(maxsize=16)
def _loaded(words: str, longest: int | None) -> Tokenizer:
    """A tokenizer out of its JSON; one row's prediction would spend all its time on reading it."""
    made = Tokenizer.from_str(words)
    made.encode_special_tokens = True  # what a text spells out is text
    if longest is None:
        made.no_truncation()
    else:
        made.enable_truncation(longest)
    return made


def _strings(texts: pa.ChunkedArray) -> Iterator[list[str]]:
    """Known texts and, for null, empty ones, ROWS at a time."""
    for begin in range(0, len(texts), ROWS):
        yield [text or "" for text in texts.slice(begin, ROWS).to_pylist()]


def _tokens(state: Any, texts: pa.ChunkedArray, longest: int | None) -> Ragged:
    """Every text's tokens; a missing one has none, not even those at its ends."""
    tokenizer = _loaded(state["tokenizer"], longest)
    valid = np.asarray(texts.is_valid())
    parts, lengths, row = [], [np.empty(0, np.int64)], 0
    for strings in _strings(texts):
        found = [each.ids for each in tokenizer.encode_batch_fast(strings)]
        found = [ids if known else [] for ids, known in zip(found, valid[row : row + ROWS], strict=False)]
        lengths.append(np.fromiter(map(len, found), np.int64, len(found)))
        parts.append(np.fromiter(chain.from_iterable(found), np.int32, int(lengths[-1].sum())))
        row += len(found)
    values = np.concatenate([np.empty(0, np.int32), *parts]) + np.int32(state["shift"])
    return Ragged.end_to_end(values, np.concatenate(lengths))
