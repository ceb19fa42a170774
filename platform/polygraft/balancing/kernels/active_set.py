"""Non-negative quadratic programmes with one matrix, Lawson and Hanson 1974, "Solving Least Squares Problems", chapter 23."""

from __future__ import annotations

import numpy as np

from polygraft.core.kernel import inner_kernel, kernel

_ROUNDING = 1e-11  # of y, as a share of what it sums
_NEAR = 3e-7  # a unit vector's distance from the active ones' span below which it counts as lying in it


@kernel
def non_negative(cosines, slopes, found):  # type: ignore[no-untyped-def]
    """found[m] = the w >= 0 with y = slopes[m] + C w >= 0 and w y = 0: the minimiser of w^T C w / 2 + slopes[m]^T w.

    cosines: float64 [K, K], inner products of unit vectors; slopes, found: float64 [M, K]. What is inactive with the most
    negative y enters; on the way to the minimum over the active, who would go below 0 leaves. What lies in the active ones'
    span has y = 0, but for rounding, and does not enter: so C may be singular. The factor L L^T = C[active, active] is kept.
    """
    many, tasks = slopes.shape
    active, idle = np.empty(tasks, np.int64), np.empty(tasks, np.bool_)
    lower, there, outside = np.empty((tasks, tasks)), np.empty(tasks), np.empty(tasks)
    for row in range(many):
        slope, weights = slopes[row], found[row]
        weights[:] = 0.0
        outside[:] = slope
        idle[:] = True
        count, largest = 0, 0.0
        for _ in range(10 * tasks):
            enters, least = -1, -_ROUNDING * (1.0 + largest)
            for task in range(tasks):
                if idle[task] and outside[task] < least:
                    enters, least = task, outside[task]
            if enters < 0:
                break
            active[count] = enters
            _factor(cosines, active, count, count + 1, lower)
            if lower[count, count] <= _NEAR:
                idle[enters] = False
                continue
            count = _settle(cosines, slope, weights, active, count + 1, lower, there)
            if weights[enters] > 0.0:
                idle[:] = True  # else it left where it had entered, by rounding, and must not enter at once again
            idle[enters] = False
            outside[:] = slope
            largest = 0.0
            for at in range(count):
                task = active[at]
                idle[task] = False
                largest = max(largest, weights[task])
                for other in range(tasks):
                    outside[other] += weights[task] * cosines[task, other]


@inner_kernel
def _settle(cosines, slope, weights, active, count, lower, there):  # type: ignore[no-untyped-def]
    """Walk to the minimum over the first `count` of `active`, whose factor is there; how many are left."""
    while count > 0:
        _solve(slope, active, count, lower, there)
        reach, leaves = 1.0, -1
        for at in range(count):
            if there[at] <= 0.0:
                here = weights[active[at]]
                share = here / max(here - there[at], 1e-300)  # 0 / 0: it leaves at once
                if leaves < 0 or share < reach:
                    reach, leaves = share, at
        if leaves < 0:
            for at in range(count):
                weights[active[at]] = there[at]
            break
        for at in range(count):
            here = weights[active[at]]
            weights[active[at]] = max(here + reach * (there[at] - here), 0.0)
        weights[active[leaves]] = 0.0
        first, left = leaves, 0
        for at in range(count):
            if weights[active[at]] > 0.0:
                active[left] = active[at]
                left += 1
            else:
                first = min(first, at)
        count = left
        _factor(cosines, active, first, count, lower)
    return count


@inner_kernel
def _factor(cosines, active, first, count, lower):  # type: ignore[no-untyped-def]
    """Lines `first` to `count` of L: those before did not change."""
    for at in range(first, count):
        line, pivot = cosines[active[at]], 1.0
        for to in range(at):
            left = line[active[to]]
            for between in range(to):
                left -= lower[at, between] * lower[to, between]
            lower[at, to] = left / lower[to, to]
            pivot -= lower[at, to] ** 2
        lower[at, at] = np.sqrt(max(pivot, _NEAR**2))


@inner_kernel
def _solve(slope, active, count, lower, there):  # type: ignore[no-untyped-def]
    """L L^T there = -slope."""
    for at in range(count):
        left = -slope[active[at]]
        for to in range(at):
            left -= lower[at, to] * there[to]
        there[at] = left / lower[at, at]
    for at in range(count - 1, -1, -1):
        there[at] /= lower[at, at]
        for to in range(at):
            there[to] -= lower[at, to] * there[at]
