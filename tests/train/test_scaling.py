"""The fit finds a law that is known, says how sure it is, and agrees with the law's own optimum."""

from __future__ import annotations

import numpy as np
import pytest

from mintage.train.scaling import Law, Point, fit, iso_flop, optimum

CHINCHILLA = Law(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)  # arXiv:2203.15556, equation 10


def six(parameters: np.ndarray) -> np.ndarray:
    return 6 * parameters


def runs(sizes: np.ndarray, tokens: np.ndarray, noise: float = 0.0, seed: int = 0) -> list[Point]:
    random = np.random.default_rng(seed)
    return [
        Point(n, d, 6 * n * d, float(CHINCHILLA.loss(n, d) * np.exp(noise * random.standard_normal())))
        for n in sizes
        for d in tokens
    ]


@pytest.mark.parametrize("sizes, budgets", [((1e5, 1e7, 3), (1e6, 1e8, 3)), ((1e7, 1e10, 6), (1e9, 1e12, 5))])
def test_exact_data_give_the_law_back(sizes: tuple, budgets: tuple) -> None:
    found = fit(runs(np.geomspace(*sizes), np.geomspace(*budgets)))
    for name, value in vars(CHINCHILLA).items():
        assert getattr(found.law, name) == pytest.approx(value, rel=1e-3)
    assert found.error < 1e-6


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    sizes, tokens = np.geomspace(1e6, 1e8, 4), np.geomspace(1e7, 1e9, 4)
    truth = optimum(CHINCHILLA, 1e18, six).parameters
    inside = 0
    for seed in range(12):
        found = fit(runs(sizes, tokens, 0.003, seed), seed)
        low, high = found.interval(lambda law: optimum(law, 1e18, six).parameters)
        inside += low <= truth <= high
        assert found.error < 0.006
    assert inside >= 7  # 9.6 expected; fewer than 7 would be one case in thirty


def test_an_outlier_moves_the_fit_little() -> None:
    points = runs(np.geomspace(1e6, 1e8, 4), np.geomspace(1e7, 1e9, 4))
    points[5] = Point(points[5].parameters, points[5].tokens, points[5].flops, 1.1 * points[5].loss)
    law = fit(points).law
    assert law.alpha == pytest.approx(0.34, rel=0.02) and law.beta == pytest.approx(0.28, rel=0.02)


def test_the_optimum_is_that_of_the_closed_form() -> None:
    """arXiv:2203.15556, equation 4: N = G (C/6)^(beta / (alpha + beta))."""
    law = CHINCHILLA
    g = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    for flops in (1e15, 1e20, 5.76e23):
        at = optimum(law, flops, six)
        assert at.parameters == pytest.approx(
            g * (flops / 6) ** (law.beta / (law.alpha + law.beta)), rel=0.005
        )
        assert at.tokens == pytest.approx(flops / 6 / at.parameters)
        assert at.loss == pytest.approx(float(law.loss(at.parameters, at.tokens)))


def test_the_parabola_finds_the_best_size_of_equal_flops() -> None:
    truth = optimum(CHINCHILLA, 1e17, six)
    sizes = truth.parameters * np.array([0.25, 0.5, 1.1, 2.0, 4.0])
    points = [p for n in sizes for p in runs(np.array([n]), 1e17 / 6 / n * np.array([0.5, 1.0, 2.0]))]
    found = iso_flop(points, 1e17)
    assert found is not None
    assert found.parameters == pytest.approx(truth.parameters, rel=0.15)
    assert found.loss == pytest.approx(truth.loss, rel=1e-3)
    assert found.tokens == pytest.approx(1e17 / 6 / found.parameters, rel=0.01)
    assert iso_flop(points, 1e19) is None  # nobody was there
    assert iso_flop(points[:9], 1e17) is None  # the best is the largest: it may lie beyond


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 6 runs"):
        fit(runs(np.array([1e6]), np.geomspace(1e7, 1e9, 8)))
