"""Back-propagation through an MLP of L layers by hand, Rumelhart, Hinton and Williams 1986 (https://doi.org/10.1038/323533a0), equals autograd's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from polygraft.core.features import Features
from polygraft.models import trunks


def by_hand(layers, rows, targets):
    """Gradients [(W, b), ...] of 1/2 sum (a_L - t)^2, one sample after the other, in numpy.

    a_l = relu(z_l), z_l = W_l a_{l-1} + b_l. delta_L = (a_L - t) * relu'(z_L), delta_l = W_{l+1}^T delta_{l+1} * relu'(z_l); then
    dE/dW_l = delta_l a_{l-1}^T, a matrix, and dE/db_l = delta_l, the vector itself: both are summed over samples.
    """
    found = [(np.zeros_like(weight), np.zeros_like(bias)) for weight, bias in layers]
    for a, target in zip(rows, targets, strict=True):
        seen, slopes = [a], []
        for weight, bias in layers:
            z = weight @ seen[-1] + bias
            slopes.append(z > 0)
            seen.append(np.maximum(z, 0))
        delta = (seen[-1] - target) * slopes[-1]
        for number in range(len(layers) - 1, -1, -1):
            into_weight, into_bias = found[number]
            into_weight += np.outer(delta, seen[number])
            into_bias += delta
            if number:
                delta = (layers[number][0].T @ delta) * slopes[number - 1]
    return found


@pytest.mark.parametrize("widths", [[4], [5, 4], [7, 5, 6, 4]])
@pytest.mark.parametrize("count", [1, 9])
def test_deltas_by_hand_are_autograds_gradients(widths, count):
    torch.manual_seed(0)
    trunk = trunks.registry.make("mlp", {"widths": widths}, width=3).double()
    rows, targets = torch.randn(count, 3, dtype=torch.float64), torch.randn(count, widths[-1], dtype=torch.float64)
    (0.5 * (trunk(Features(vector=rows)).vector - targets).square().sum()).backward()
    layers = [(each.linear.weight.detach().numpy(), each.linear.bias.detach().numpy()) for each in trunk.stages]
    for stage, (weight, bias) in zip(trunk.stages, by_hand(layers, rows.numpy(), targets.numpy()), strict=True):
        np.testing.assert_allclose(stage.linear.weight.grad.numpy(), weight, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(stage.linear.bias.grad.numpy(), bias, rtol=1e-9, atol=1e-12)
        assert bias.shape == (len(weight),)
