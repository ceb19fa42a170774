"""Images are drawn as a plain twin says, and what happens to a training image depends on its position alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from polygraft.data.augmentation import Augmentation, Moves, Places
from polygraft.data.kernels.images import draw_images

FAR = 40  # pixels of black around an image, further than any move


def twin(images: np.ndarray, drawn: Moves, size: tuple[int, int], scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """By padding, slicing and np.flip."""
    edge = ((0, 0), (0, 0), (FAR, FAR), (FAR, FAR))
    padded = np.pad(images, edge).astype(np.float64)
    out = []
    for row, (top, left, mirrored), share in zip(drawn.rows, drawn.moves, drawn.shares, strict=True):
        window = padded[row, :, FAR + top :, FAR + left :][:, : size[0], : size[1]]
        window = np.flip(window, -1) if mirrored else window
        out.append(share * (scale[:, None, None] * window + shift[:, None, None]))
    return np.array(out).reshape(len(out), images.shape[1], *size)


@given(st.integers(0, 2**32), st.integers(1, 3), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(0, 12))
def test_images_are_moved_mirrored_mixed_and_normalised_as_the_twin_does(
    seed: int, channels: int, stored: tuple[int, int], rows: int
) -> None:
    chance = np.random.default_rng(seed)
    images = chance.integers(0, 256, (5, channels, *stored), np.uint8)
    size = (int(chance.integers(1, 12)), int(chance.integers(1, 12)))
    scale, shift = chance.normal(size=(2, channels)).astype(np.float32)
    out, wanted = np.full((rows, channels, *size), np.nan, np.float32), np.zeros((rows, channels, *size))
    for first in (True, False):
        moves = np.stack([*chance.integers(-14, 15, (2, rows)), chance.integers(0, 2, rows)], 1)
        drawn = Moves(chance.integers(0, 5, rows), moves, chance.random(rows).astype(np.float32))
        draw_images(images, drawn.rows, drawn.moves, drawn.shares, scale, shift, out, first)
        wanted += twin(images, drawn, size, scale, shift)
    assert_allclose(out, wanted, atol=1e-4 * max(1.0, np.abs(wanted).max(initial=0)))


def all_of(drawn: tuple[Moves, ...]) -> np.ndarray:
    return np.concatenate([np.column_stack([each.rows, each.moves, each.shares]) for each in drawn], 1)


def draw(augmentation: Augmentation, positions: np.ndarray) -> np.ndarray:
    return all_of(
        augmentation.drawn(
            positions % 50, Places(3, "t", [(at, at + 1) for at in positions.tolist()], np.arange(100, 300))
        )
    )


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=40, unique=True), st.integers(0, 40))
def test_what_happens_to_an_image_depends_on_its_position_alone(positions: list[int], cut: int) -> None:
    line = np.sort(np.array(positions))
    made = Augmentation((28, 28), (24, 20), shift=2, mirror=True, mixup=0.4)
    other = Augmentation((28, 28), (24, 20), shift=2, mirror=True, mixup=0.4)
    parts = [draw(other, part) for part in (line[:cut], line[cut:]) if len(part)]
    assert_array_equal(draw(made, line), np.concatenate(parts))


def test_every_place_of_the_window_and_both_sides_are_equally_likely() -> None:
    drawn = draw(Augmentation((28, 28), (26, 27), shift=1, mirror=True), np.arange(60_000))
    for column, places in ((1, range(-1, 4)), (2, range(-1, 3)), (3, range(2))):
        counts = np.array([(drawn[:, column] == place).sum() for place in places])
        assert counts.sum() == 60_000
        assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 20  # chi-square: .05 % lie above, with 4 degrees


def test_evaluation_takes_the_middle_and_changes_nothing() -> None:
    (still,) = Augmentation((28, 30), (24, 24), shift=2, mirror=True, mixup=1.0).still(np.arange(3))
    assert_array_equal(all_of((still,)), [[row, 2, 3, 0, 1] for row in range(3)])


def test_only_training_rows_are_mixed_in() -> None:
    drawn = draw(Augmentation((4, 4), (4, 4), mixup=1.0), np.arange(10_000))
    assert set(drawn[:, 5]) == set(range(100, 300))
    assert_allclose(drawn[:, 4] + drawn[:, 9], 1, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_one_label_with_its_own_share_costs_what_two_mixed_labels_cost(alpha: float) -> None:
    """Of every pair, in both orders, a loss linear in the label: here (x - y)^2 less its term in y^2."""
    x, y = np.array([0.3, -1.2]), np.array([1.0, 4.0])
    chance = np.random.default_rng(0)
    paper, ours = chance.beta(alpha, alpha, 4_000_000), chance.beta(alpha + 1, alpha, 4_000_000)

    def loss(lam: np.ndarray, label: np.ndarray, i: int) -> np.ndarray:
        mixed = lam * x[i] + (1 - lam) * x[1 - i]
        return mixed**2 - 2 * mixed * label

    both = np.mean([loss(paper, paper * y[i] + (1 - paper) * y[1 - i], i) for i in (0, 1)])
    own = np.mean([loss(ours, y[i], i) for i in (0, 1)])
    assert own == pytest.approx(both, abs=0.01)
    assert np.mean([loss(paper, y[i], i) for i in (0, 1)]) != pytest.approx(both, abs=0.01)  # the comparison can fail
