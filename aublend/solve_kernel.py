"""The compiled fit of unit weights: projected Newton steps and exact coordinate steps on the bilinear model.

Minimises phi(z) G phi(z) / 2 - b phi(z) + penalty . z + smoothing * |z - neighbours|^2 / 2 over 0 <= z <= 1. The
factors phi are the weights and the products of paired weights: linear in each weight alone, so that a coordinate's
best value is known in closed form, and nearly so in all, so that a handful of Newton steps (Bertsekas 1982, projected)
reach the minimum where units move alike and coordinate steps alone would crawl.
"""

from typing import no_type_check

import numpy as np

from mesh4d.compiled import compiled

STEPS = 40
CONVERGED = 1e-4
"""Steps smaller than this end the search; the next Newton step would be far smaller still."""
RIDGE = 1e-9
"""Of the mean curvature: only against division by zero where a unit moves nothing."""


@compiled()
@no_type_check
def fit_frames(gram, right, members, partners, products, penalty, smoothing, weights, passes):
    """Fit every frame, from where `weights` stands and in place.

    Args:
        members: the factors (rows of `gram`) that each weight sets: one half, or both; -1 fills up.
        partners: for each of the units' factors, the weights that it is paired with; -1 fills up.
        products: the factor of each such pair.
        penalty: per frame and weight, what a weight costs.
        smoothing: per weight, what a squared step between frames costs.
        passes: times to go through the frames, forwards and backwards in turn; more than one only helps with smoothing.
    """
    frames, size = weights.shape
    scale = 0.0
    for s in range(len(gram)):
        scale += gram[s, s]
    ridge = RIDGE * scale / len(gram) + 1e-300
    pull, goal = np.zeros(size), np.zeros(size)
    for step in range(passes):
        for count in range(frames):
            t = count if step % 2 == 0 else frames - 1 - count
            for k in range(size):
                pull[k] = goal[k] = 0.0
                for other in (t - 1, t + 1):
                    if 0 <= other < frames and smoothing[k] > 0:
                        pull[k] += smoothing[k]
                        goal[k] += smoothing[k] * weights[other, k]
            _fit(gram, right[t], members, partners, products, penalty[t], pull, goal, ridge, weights[t])


@compiled()
@no_type_check
def jacobian_at(members, partners, products, weights, count):
    """How the factors change with each weight: the rows d phi / d z_k."""
    jacobian = np.empty((len(weights), count))
    for k in range(len(weights)):
        _row(members, partners, products, weights, k, jacobian[k])
    return jacobian


@compiled()
@no_type_check
def _fit(gram, right, members, partners, products, penalty, pull, goal, ridge, z):
    size = len(z)
    jacobian = np.zeros((size, len(gram)))
    trial, gradient = np.empty(size), np.empty(size)
    value = _value(gram, right, members, partners, products, penalty, pull, goal, z)
    for _ in range(STEPS):
        change = _sweep(gram, right, members, partners, products, penalty, pull, goal, ridge, z, jacobian)
        free = _newton(gram, right, members, partners, products, penalty, pull, goal, ridge, z, jacobian, gradient)
        value = _value(gram, right, members, partners, products, penalty, pull, goal, z)
        length = 1.0
        for _halving in range(6):
            for k in range(size):
                trial[k] = min(max(z[k] + length * gradient[k], 0.0), 1.0)
            lower = _value(gram, right, members, partners, products, penalty, pull, goal, trial)
            if lower < value:
                for k in range(size):
                    change = max(change, abs(trial[k] - z[k]))
                    z[k] = trial[k]
                break
            length /= 2
        if change < CONVERGED or free == 0:
            break


@compiled()
@no_type_check
def _factors(members, partners, products, z, count):
    """phi(z)."""
    factors = np.zeros(count)
    for k in range(len(z)):
        for m in range(members.shape[1]):
            if members[k, m] >= 0:
                factors[members[k, m]] = z[k]
    for k in range(len(z)):
        for m in range(members.shape[1]):
            unit = members[k, m]
            if unit >= 0:
                for p in range(partners.shape[1]):
                    if partners[unit, p] >= 0:
                        factors[products[unit, p]] = z[k] * z[partners[unit, p]]
    return factors


@compiled()
@no_type_check
def _row(members, partners, products, z, k, row):
    """d phi / d z_k."""
    row[:] = 0
    for m in range(members.shape[1]):
        unit = members[k, m]
        if unit >= 0:
            row[unit] = 1.0
            for p in range(partners.shape[1]):
                if partners[unit, p] >= 0:
                    row[products[unit, p]] = z[partners[unit, p]]


@compiled()
@no_type_check
def _value(gram, right, members, partners, products, penalty, pull, goal, z):
    factors = _factors(members, partners, products, z, len(gram))
    value = 0.0
    for s in range(len(gram)):
        if factors[s] != 0:
            value += factors[s] * (0.5 * np.dot(gram[s], factors) - right[s])
    for k in range(len(z)):
        value += z[k] * (penalty[k] + 0.5 * pull[k] * z[k] - goal[k])
    return value


@compiled()
@no_type_check
def _sweep(gram, right, members, partners, products, penalty, pull, goal, ridge, z, jacobian):
    """Every weight to its best value given the others; the largest change."""
    residual = gram @ _factors(members, partners, products, z, len(gram)) - right
    moved = np.empty(len(gram))
    largest = 0.0
    for k in range(len(z)):
        row = jacobian[k]
        _row(members, partners, products, z, k, row)
        moved[:] = 0
        for s in range(len(gram)):
            if row[s] != 0:
                moved += row[s] * gram[s]
        slope = np.dot(row, residual) + penalty[k] + pull[k] * z[k] - goal[k]
        curvature = np.dot(row, moved) + pull[k] + ridge
        new = min(max(z[k] - slope / curvature, 0.0), 1.0)
        step = new - z[k]
        if step != 0:
            residual += step * moved
            z[k] = new
            largest = max(largest, abs(step))
    return largest


@compiled()
@no_type_check
def _newton(gram, right, members, partners, products, penalty, pull, goal, ridge, z, jacobian, direction):
    """The Gauss-Newton step of the weights that are not held at a bound, 0 for those; how many are free."""
    size = len(z)
    for k in range(size):
        _row(members, partners, products, z, k, jacobian[k])
    turned = np.zeros((size, len(gram)))
    for k in range(size):
        for s in range(len(gram)):
            if jacobian[k, s] != 0:
                turned[k] += jacobian[k, s] * gram[s]
    residual = gram @ _factors(members, partners, products, z, len(gram)) - right
    free = np.empty(size, np.int64)
    slopes = np.empty(size)
    count = 0
    for k in range(size):
        direction[k] = 0.0
        slopes[k] = np.dot(jacobian[k], residual) + penalty[k] + pull[k] * z[k] - goal[k]
        if not ((z[k] <= 0 and slopes[k] >= 0) or (z[k] >= 1 and slopes[k] <= 0)):
            free[count] = k
            count += 1
    if count == 0:
        return 0
    curvature = np.dot(turned, jacobian.T)
    hessian, wanted = np.empty((count, count)), np.empty(count)
    for i in range(count):
        wanted[i] = -slopes[free[i]]
        for j in range(count):
            hessian[i, j] = curvature[free[i], free[j]]
        hessian[i, i] += pull[free[i]] + ridge
    step = np.linalg.solve(hessian, wanted)
    for i in range(count):
        direction[free[i]] = step[i]
    return count
