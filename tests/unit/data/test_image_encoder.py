"""Images from bytes and from lists of pixels: decoded, normalised, refused with the row; drawn alike by any number of workers."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image as Pillow

from polygraft.core.errors import UserError
from polygraft.data.batches import TableStream, sequential
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.tables import write

CHANCE = np.random.default_rng(0)
PIXELS = CHANCE.integers(0, 256, (40, 6, 8), np.uint8)


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, form)
    return out.getvalue()


def prepared(folder: Path, images: Any, kind: str | None = None, **settings: Any) -> Prepared:
    """A table of images and a number to predict, of which the last quarter is the test split."""
    rows = len(images)
    write(
        pa.table({"photo": images, "y": np.arange(rows) * 1.0, "part": np.arange(rows) * 4 // rows}),
        folder / "t.parquet",
    )
    spec = TableSpec(
        "t",
        ("t.parquet",),
        folder,
        columns={"photo": kind} if kind else {},
        encode={"photo": ("image", settings)},
        split=SplitSpec(by="column", column="part", validation=2, test=3),
        targets=(TargetSpec("y", ("y",), "number"),),
    )
    return prepare(spec, folder / "cache")


def as_bytes(images: list[bytes | None]) -> pa.Array:
    return pa.array(images, pa.binary())


def as_lists(pixels: np.ndarray, type_: pa.DataType | None = None) -> pa.Array:
    return pa.array(pixels.reshape(len(pixels), -1).tolist(), type_ or pa.list_(pa.uint8()))


def seen(table: Prepared, split: str = "test") -> np.ndarray:
    (batch,) = sequential(table, split, 100)
    return batch.inputs["image/photo"].numpy()


def wanted(pixels: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Standard scores by plain numpy, [rows, 1, height, width]."""
    return ((pixels - training.mean()) / training.std())[:, None]


def test_bytes_and_pixels_are_normalised_by_the_training_rows(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    files = prepared(tmp_path, as_bytes([encoded(each) for each in PIXELS]))
    lists = prepared(tmp_path / "lists", as_lists(PIXELS), "image", stored=[6, 8])
    assert_allclose(seen(files), wanted(PIXELS[30:], PIXELS[:20].astype(float)), atol=1e-5)
    assert_array_equal(seen(lists), seen(files))
    (shape,) = files.shape.others
    assert (shape.kind, shape.shape) == ("image", (1, 6, 8))


def test_colours_are_channels_and_files_of_any_size_are_resized(tmp_path: Path) -> None:
    colours = np.zeros((8, 4, 4, 3), np.uint8)
    colours[..., 0], colours[:4, ..., 2] = 200, 50
    table = prepared(tmp_path, as_bytes([encoded(each) for each in colours]), channels=3, stored=[2, 3])
    (batch,) = sequential(table, "train", 100)
    image = batch.inputs["image/photo"].numpy()
    assert image.shape == (4, 3, 2, 3)
    assert_array_equal(image[:, :2], 0)  # red and green are constant
    assert_array_equal(image[:, 2], 0)  # and so is blue among the training rows
    assert (seen(table)[:, 2] == -50).all()


def test_a_missing_image_is_black(tmp_path: Path) -> None:
    table = prepared(tmp_path, as_bytes([*(encoded(each) for each in PIXELS[:-1]), None]))
    black = wanted(np.zeros((1, 6, 8)), PIXELS[:20].astype(float))
    assert_allclose(seen(table)[-1:], black, atol=1e-5)


def test_unreadable_images_are_told_and_too_many_end_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = [encoded(each) for each in PIXELS]
    images[3], images[35] = b"no image", images[35][:40]
    with pytest.raises(
        UserError, match=r"2 of 40 images cannot be read, more than `unreadable: 0.01` .*row 4: .*row 36: "
    ):
        prepared(tmp_path, as_bytes(images))
    with caplog.at_level(logging.WARNING, "polygraft"):
        table = prepared(tmp_path, as_bytes(images), unreadable=0.05)
    assert "2 of 40 images cannot be read and are black: row 4" in caplog.text
    assert_array_equal(seen(table)[5], seen(table)[5][0, 0, 0])


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        (
            as_bytes([encoded(each[: 3 + row % 2]) for row, each in enumerate(PIXELS)]),
            {},
            "differ in size: 3 x 8, 4 x 8",
        ),
        (as_lists(PIXELS), {}, "48 pixels are no 1 x 6 x 6"),
        (pa.array([[1, 2], [1]] * 20), {}, "differ in length: 1, 2"),
        (as_lists(PIXELS.astype(int) + 1, pa.list_(pa.int64())), {"stored": [6, 8]}, "from 0 to 255: .*256"),
        (pa.array(["a.png"] * 40), {}, "are no images: these are bytes"),
        (
            as_bytes([encoded(each) for each in PIXELS]),
            {"crop": [7]},
            r"crop: two numbers from 1, \[height, width\], not \[7\]",
        ),
        (
            as_bytes([encoded(each) for each in PIXELS]),
            {"crop": [7, 3]},
            r"crop: \[7, 3\] is more than the images' \[6, 8\]",
        ),
    ],
)
def test_what_is_no_table_of_images_is_refused(tmp_path: Path, images: Any, settings: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        prepared(tmp_path, images, "image", **settings)
    assert "photo" in str(refused.value)


def test_the_saved_preprocessor_encodes_the_same(tmp_path: Path) -> None:
    table = prepared(tmp_path, as_bytes([encoded(each) for each in PIXELS]), crop=[4, 4], mixup=0.3, mirror=True)
    table.preprocessor.save(tmp_path / "saved")
    again = Preprocessor.load(tmp_path / "saved")
    images = again.encode(pa.table({"photo": as_bytes([encoded(each) for each in PIXELS[30:]])}))["image/photo"]
    assert_array_equal(images.still(np.arange(10)), seen(table))  # type: ignore[union-attr]


def drawn(table: Prepared, shards: range, steps: int, start: int = 0) -> list[np.ndarray]:
    """By step, this worker's images."""
    stream = TableStream({"t": table}, 12, seed=5, shards=shards, num_shards=4)
    batches = stream.batches(start)
    found = [np.concatenate([each["t"].inputs["image/photo"] for each in next(batches)]) for _ in range(steps)]
    batches.close()  # type: ignore[attr-defined]
    return found


def test_augmented_images_are_the_same_for_any_number_of_workers_and_after_a_seek(tmp_path: Path) -> None:
    settings = {"crop": [5, 6], "shift": 1, "mirror": True, "mixup": 0.4}
    table = prepared(tmp_path, as_bytes([encoded(each) for each in PIXELS]), **settings)
    alone = drawn(table, range(4), 9)
    for parts in ([range(2), range(2, 4)], [range(1), range(1, 3), range(3, 4)]):
        shares = [drawn(table, part, 9) for part in parts]
        for step, whole in enumerate(alone):
            assert_array_equal(np.concatenate([share[step] for share in shares]), whole)
    assert_array_equal(drawn(table, range(4), 3, start=6), alone[6:])
    assert not any(np.isin(alone[0][0], each).all() for each in seen(table, "train"))  # they are augmented
