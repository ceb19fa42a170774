"""The trunks of convolutions, against networks built by hand from torch's own modules with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, group_norm, interpolate, max_pool2d, relu
from torch.testing import assert_close

from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.models import trunks


def made(name, **settings):
    torch.manual_seed(0)
    found = trunks.registry.make(name, settings, offer=Offer("maps", 3)).double()
    with torch.no_grad():  # away from the ones and zeros that a norm begins with
        for parameter in found.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return found


def image(rows=4, side=9):
    return torch.randn(rows, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def normed(norm, x):
    return group_norm(x, norm.num_groups, norm.weight, norm.bias)


def plain(block, x, stride, padding=1):
    return relu(normed(block.norm, conv2d(x, block.conv.weight, block.conv.bias, stride, padding)))


def residual(block, x, stride):
    inner = conv2d(plain(block.first, x, stride), block.conv.weight, block.conv.bias, padding=1)
    if not isinstance(block.around, nn.Identity):
        layer, norm = block.around
        x = normed(norm, conv2d(x, layer.weight, layer.bias, stride))
    return relu(normed(block.norm, inner) + x)


ORACLES = {"plain": plain, "residual": residual}


@pytest.mark.parametrize("block", ["plain", "residual"])
@pytest.mark.parametrize("strides", [[], [2, 1]])
@pytest.mark.parametrize("blocks", [1, 2])
def test_a_cnn_is_its_blocks_one_after_the_other(block, strides, blocks):
    trunk, x = made("cnn", widths=[4, 6], block=block, strides=strides, blocks=blocks, groups=2), image()
    found = trunk(Features(maps=(x,)))
    for stage, stride in zip(trunk.stages, strides or [1, 2], strict=True):
        for number, each in enumerate(stage.blocks):
            x = ORACLES[block](each, x, stride if number == 0 else 1)
    assert_close(found.maps, (x,))
    assert_close(found.vector, x.flatten(2).sum(2) / (x.shape[2] * x.shape[3]))
    assert trunk.last_layer() is trunk.stages[-1].blocks[-1].conv
    assert found.maps[0].shape == (4, 6, 5, 5)


@pytest.mark.parametrize(("reduce", "pool"), [("max", max_pool2d), ("mean", avg_pool2d)])
def test_a_pool_takes_the_stride_and_leaves_out_no_pixel(reduce, pool):
    trunk, x = made("cnn", widths=[4, 6], reduce=reduce, groups=2), image()
    first = plain(trunk.stages[0].blocks[0], x, 1)
    pooled = pool(first, 2, ceil_mode=True)
    assert_close(trunk(Features(maps=(x,))).maps[0], plain(trunk.stages[1].blocks[1], pooled, 1))
    assert made("cnn", widths=[4] * 6, reduce=reduce)(Features(maps=(x,))).maps[0].shape == (4, 4, 1, 1)


def test_a_pyramid_adds_what_is_coarse_to_what_is_fine():
    trunk, x = made("feature_pyramid", widths=[4, 6, 8], width=5, groups=2), image(side=11)
    found, levels = trunk(Features(maps=(x,))), []
    for number, stage in enumerate(trunk.stages[:3]):
        x = residual(stage.blocks[0], x, 1 if number == 0 else 2)
        levels.append(x)
    down, wanted, above = trunk.stages[3], [], None
    for number in (2, 1, 0):
        merged = conv2d(levels[number], down.lateral[number].weight, down.lateral[number].bias)
        if above is not None:
            merged = merged + interpolate(above, merged.shape[2:], mode="nearest")
        above = merged
        wanted.insert(0, conv2d(merged, down.smooth[number].weight, down.smooth[number].bias, padding=1))
    assert_close(found.maps, tuple(wanted))
    assert [tuple(each.shape[1:]) for each in found.maps] == [(5, 11, 11), (5, 6, 6), (5, 3, 3)]
    assert_close(found.vector, sum(each.mean((2, 3)) for each in wanted) / 3)
    assert trunk.last_layer() is None


def test_the_way_up_gathers_its_levels_stage_by_stage():
    trunk = made("feature_pyramid", widths=[4, 6], width=5)
    below = trunk(Features(maps=(image(),)), last=2)
    assert [each.shape[1] for each in below.maps] == [4, 6]
    assert_close(trunk(below, first=2).maps, trunk(Features(maps=(image(),))).maps)


@pytest.mark.parametrize("name", ["cnn", "feature_pyramid"])
@pytest.mark.parametrize("block", ["plain", "residual"])
def test_its_gradient_is_that_of_finite_differences(name, block):
    trunk = made(name, widths=[2, 4], block=block, activation="silu")

    def run(x):
        found = trunk(Features(maps=(x,)))
        return (found.vector, *found.maps)

    assert torch.autograd.gradcheck(run, (image(2, 3).requires_grad_(),))
    parameters = [each.detach().requires_grad_() for each in trunk.parameters()]
    names = [key for key, _ in trunk.named_parameters()]

    def of_weights(*given):
        features = torch.func.functional_call(
            trunk, dict(zip(names, given, strict=True)), (Features(maps=(image(2, 3),)),)
        )
        return features.vector

    assert torch.autograd.gradcheck(of_weights, tuple(parameters), fast_mode=True)


@pytest.mark.parametrize(("width", "groups", "found"), [(32, 8, 8), (6, 4, 3), (8, 8, 4), (7, 8, 1), (1, 8, 1)])
def test_group_norm_takes_the_largest_number_of_groups_that_divides_and_leaves_none_alone(width, groups, found):
    norm = made("cnn", widths=[width], groups=groups).stages[0].blocks[0].norm
    assert norm.num_groups == found


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"widths": []}, "widths: a trunk of convolutions needs at least one stage"),
        ({"strides": [1, 2, 2]}, "strides: 3 for 2 stages. Give one for each of widths, or leave strides out."),
        ({"kernel": 4}, "kernel: 4 has no middle. Take 3 or 5."),
    ],
)
def test_what_does_not_fit_is_refused_with_the_mend(settings, text):
    with pytest.raises(UserError, match=text):
        trunks.registry.make("cnn", settings, offer=Offer("maps", 3))
