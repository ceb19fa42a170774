"""The text encoder: words as a plain regular expression finds them, byte pairs that lose nothing, a pretrained file as it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from polygraft.core.batch import Input
from polygraft.data.columns import UnfitError, conform
from polygraft.data.encoders.text import Text
from polygraft.data.plans import InputPlan
from polygraft.data.ragged import Ragged

WORDS = st.lists(
    st.sampled_from(["a", "the", "The", "graft", "Äpfel", "A\u0308pfel", "don't", "[PAD]", "9", "...", "\t", "木"])
)
TEXTS = st.none() | WORDS.map(" ".join) | st.just("") | st.just("x" * 100_000)
ANY = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def columns(draw: st.DrawFn, texts: st.SearchStrategy) -> tuple[list[str | None], pa.ChunkedArray, np.ndarray]:
    """Texts as Python has them, as an Arrow column in any chunks of any string type, and which rows are for training."""
    rows = draw(st.lists(texts, min_size=1, max_size=12))
    type_ = draw(st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]))
    cut = draw(st.integers(0, len(rows)))
    chunks = [pa.array(["-", *part], type_)[1:] for part in (rows[:cut], rows[cut:])]
    chosen = draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    return rows, conform(pa.chunked_array(chunks, type_), "text"), np.array(chosen)


def encoded(encoder: Text, column: pa.ChunkedArray, chosen: np.ndarray) -> tuple[InputPlan, list[list[int]], int]:
    """The plan, every row's tokens, and how many rows hold an unknown one."""
    plan = encoder.fit("c", column, chosen)
    assert InputPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    found, unknown = encoder.apply(plan, column)
    assert isinstance(found, Ragged)
    assert found.values.dtype == np.int32
    return plan, [found.row(row).tolist() for row in range(len(found))], unknown


def cut(text: str | None) -> list[str]:
    """Words and runs of punctuation, lower case, composed."""
    return re.findall(r"\w+|[^\w\s]+", unicodedata.normalize("NFC", text or "").lower())


@given(made=columns(TEXTS), most=st.integers(1, 5), least=st.integers(1, 3))
def test_words_are_those_of_the_training_rows_and_all_else_is_unknown(made, most: int, least: int) -> None:
    texts, column, chosen = made
    plan, found, unknown = encoded(Text(None, vocabulary=most, min_count=least, max_length=4), column, chosen)
    counts = Counter(word for text, train in zip(texts, chosen, strict=True) if train for word in cut(text))
    frequent = sorted(
        (word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word.encode())
    )
    codes = {word: i + 2 for i, word in enumerate(sorted(frequent[:most]))}
    wanted = [[codes.get(word, 1) for word in cut(text)[:4]] for text in texts]
    assert found == wanted
    assert unknown == sum(1 in row for row in wanted)
    assert plan.input == Input("tokens/c", "tokens", (None,), 4, 2 + len(codes), masked=True)


@given(made=columns(ANY), lower=st.booleans())
def test_byte_pairs_lose_nothing_of_any_text(made, lower: bool) -> None:
    texts, column, chosen = made
    plan, found, unknown = encoded(
        Text(None, by="byte_pairs", vocabulary=270, lower=lower, max_length=None), column, chosen
    )
    assert unknown == 0
    reader = Tokenizer.from_str(plan.state["tokenizer"])
    reader.decoder = decoders.ByteLevel()
    for text, train, row in zip(texts, chosen, found, strict=True):
        assert all(2 <= code < plan.input.size for code in row)
        composed = unicodedata.normalize("NFC", text or "")
        if train and (not lower or composed.isascii()):  # Rust's lower case of other letters is not quite Python's
            assert reader.decode([code - 2 for code in row]) == (composed.lower() if lower else composed)


def test_the_longest_of_the_training_rows_is_the_length_where_none_is_said() -> None:
    column = conform(pa.chunked_array([["a b c", "a b c d e f", None]]), "text")
    plan, found, _ = encoded(Text(None, min_count=1, max_length=None), column, np.array([True, False, True]))
    assert plan.input.length == 3
    assert [len(row) for row in found] == [3, 3, 0]


@pytest.fixture
def pretrained(tmp_path: Path) -> Tokenizer:
    """A small file as they come with a pretrained model: it pads, truncates, and adds tokens at both ends."""
    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "graft", "##ed"])}
    made = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.enable_padding(length=9)
    made.enable_truncation(3)
    made.save(str(tmp_path / "tokenizer.json"))
    return made


def test_a_pretrained_file_gives_its_own_ids_and_what_it_adds(pretrained: Tokenizer, tmp_path: Path) -> None:
    column = conform(pa.chunked_array([["a grafted", "a stranger", None, "", "[SEP]"]]), "text")
    plan, found, unknown = encoded(Text(tmp_path, pretrained="tokenizer.json"), column, np.ones(5, bool))
    (tmp_path / "tokenizer.json").unlink()  # the model keeps all that it needs
    again, _ = Text(None, pretrained="tokenizer.json").apply(plan, column)
    assert np.array_equal(again.values, np.concatenate(found))
    assert [[code - 2 for code in row] for row in found[:4]] == [[2, 4, 5, 6, 3], [2, 4, 1, 3], [], [2, 3]]
    assert found[4][1:-1] == [3, 3, 3]  # "[", "SEP", "]" as text, not the token
    assert unknown == 2
    assert plan.input.size == 9


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none.json", "cannot be read (No such file or directory)"),
        ("bad.json", "is no tokenizer.json"),
        (".", "cannot be read (Is a directory)"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "bad.json").write_text('{"model": 3}')
    with pytest.raises(UnfitError, match=re.escape(told)):
        Text(tmp_path, pretrained=name).fit("c", conform(pa.chunked_array([["a"]]), "text"), np.ones(1, bool))


def test_a_length_without_room_for_what_the_file_adds_is_told(pretrained: Tokenizer, tmp_path: Path) -> None:
    column = conform(pa.chunked_array([["a grafted"]]), "text")
    with pytest.raises(UnfitError, match="max_length: 1 has no room beside the 2 tokens"):
        Text(tmp_path, pretrained="tokenizer.json", max_length=1).fit("c", column, np.ones(1, bool))


@pytest.mark.parametrize("by", ["words", "byte_pairs"])
def test_the_vocabulary_does_not_hang_on_threads_or_processes(by: str) -> None:
    script = (
        "import sys, json, numpy as np, pyarrow as pa\n"
        "from polygraft.data.encoders.text import Text\n"
        "texts = [' '.join(f'{w:x}' for w in row) for row in np.random.default_rng(0).integers(0, 400, (500, 9))]\n"
        f"plan = Text(None, by='{by}', vocabulary=300).fit('c', pa.chunked_array([texts], pa.large_string()), np.ones(500, bool))\n"
        "print(json.dumps(plan.to_json()))\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"RAYON_NUM_THREADS": count},
            capture_output=True,
            check=True,
        ).stdout
        for count in ("1", "4")
    }
    assert len(found) == 1


@pytest.mark.parametrize("settings", [{"by": "words", "min_count": 1}, {"by": "byte_pairs", "vocabulary": 300}])
def test_each_code_says_what_it_stands_for(settings: dict[str, object]) -> None:
    column = pa.chunked_array([["the cat", "the dog sat", None]])
    encoder = Text(None, **settings)
    plan = encoder.fit("t", column, np.ones(3, bool))
    words, (rows, _) = encoder.words(plan), encoder.apply(plan, column)
    assert len(words) == plan.input.size
    assert "".join(words[code] for code in rows.row(1)).replace("Ġ", "") == "thedogsat"
