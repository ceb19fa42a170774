"""Exhibits survive their file and are drawn; a picture of pictures is a PNG that another decoder reads."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from polygraft.core.exhibits import Exhibit
from polygraft.report.exhibits import KINDS, drawn, png, tiles
from polygraft.report.run_report import write_report

CHANCE = np.random.default_rng(0)
EXHIBITS = {
    "curve": Exhibit(
        "curve", "late: ROC", {"x": np.linspace(0, 1, 9), "y": np.linspace(0, 1, 9) ** 0.5}, {"x": "misses"}
    ),
    "heatmap": Exhibit(
        "heatmap",
        "kind: confusion",
        {
            "z": np.array([[0.9, 0.1], [0.3, 0.7]]),
            "x": np.array(["a", "<b>"], object),
            "y": np.array(["a", "<b>"], object),
        },
    ),
    "alignment": Exhibit(
        "alignment",
        "copy 1",
        {
            "z": np.array([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0]]),
            "x": np.array(["a", "<b>", "a"], object),
            "y": np.array(["A", "end"], object),
        },
    ),
    "scatter": Exhibit(
        "scatter",
        "own: latent map",
        {
            "x": CHANCE.normal(size=60),
            "y": CHANCE.normal(size=60),
            "group": np.repeat(np.array(["real", "drawn"], object), 30),
        },
        {"x": "code 0", "y": "code 1"},
    ),
    "images": Exhibit(
        "images", "own: reconstructions", {"pixels": CHANCE.integers(0, 256, (2, 5, 3, 4, 6)).astype(np.uint8)}
    ),
}


@pytest.mark.parametrize("kind", EXHIBITS)
def test_what_is_written_is_what_is_read(kind: str) -> None:
    before = EXHIBITS[kind]
    after = Exhibit.from_json(json.loads(json.dumps(before.to_json())))
    assert (after.kind, after.title, after.words) == (before.kind, before.title, before.words)
    for name, each in before.arrays.items():
        assert after.arrays[name].dtype == each.dtype
        if each.dtype.kind == "f":
            np.testing.assert_allclose(after.arrays[name], each, rtol=1e-5)
        else:
            np.testing.assert_array_equal(after.arrays[name], each)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_is_a_png_whose_pixels_are_the_pictures(channels: int) -> None:
    pixels = CHANCE.integers(0, 255, (2, 3, channels, 4, 5)).astype(np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(tiles(pixels)))))
    assert read.shape[:2] == (2 * 4 + 1, 3 * 5 + 2)
    for line in range(2):
        for column in range(3):
            there = read[line * 5 : line * 5 + 4, column * 6 : column * 6 + 5]
            wanted = pixels[line, column].transpose(1, 2, 0)
            np.testing.assert_array_equal(there, wanted if channels == 3 else wanted[:, :, 0])
    assert (read[4] == 255).all()


@pytest.mark.parametrize("kind", EXHIBITS)
def test_each_kind_is_drawn_under_its_title(kind: str) -> None:
    text = drawn(EXHIBITS[kind])
    assert f"<figcaption>{EXHIBITS[kind].title}</figcaption>" in text
    assert "<b>" not in text
    assert text.count("<svg") == text.count("</svg>") == 1


def test_every_point_of_a_cloud_is_there_by_group() -> None:
    text = drawn(EXHIBITS["scatter"])
    dots = re.findall(r'class="l(\d)" d="([^"]*)"', text)
    assert [(colour, path.count("M")) for colour, path in dots] == [("0", 30), ("1", 30)]


def test_what_cannot_be_seen_is_left_out() -> None:
    nothing = {"x": np.full(3, np.nan), "y": np.zeros(3)}
    assert drawn(Exhibit("scatter", "t", nothing)) == ""
    many = np.array([str(i) for i in range(40)], object)
    assert drawn(Exhibit("heatmap", "t", {"z": np.zeros((40, 40)), "x": many, "y": many})) == ""
    assert drawn(Exhibit("table", "t", {})) == ""


def test_a_runs_report_shows_them(tmp_path) -> None:
    (tmp_path / "suite.yaml").write_text("suite: own\ndata: {}\ntasks: {}\n")
    (tmp_path / "exhibits.json").write_text(json.dumps([each.to_json() for each in EXHIBITS.values()]))
    text = write_report(tmp_path).read_text()
    assert "Pictures of the test rows" in text
    assert all(each.title in text for each in EXHIBITS.values())
    assert {*KINDS} == {*EXHIBITS}
