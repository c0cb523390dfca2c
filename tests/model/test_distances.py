from __future__ import annotations

import torch

from mintage.model.attention import rotary_tables, rotate
from mintage.model.config import ModelConfig
from mintage.model.distances import contents_first, distance_biases

SIZE = 16
ANGLES = 1.0 / 10_000 ** (torch.arange(0, SIZE, 2) / SIZE)


def test_contents_first_keeps_products_and_orders_them_from_the_slowest_pair():
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(0, -2, SIZE)
    mixes = torch.randn(2, SIZE, SIZE, generator=generator)
    q, k = ((torch.randn(4, 64, SIZE, generator=generator) * scales) @ mix for mix in mixes)
    query_HH, key_HH = contents_first(q, k)
    products, again = q[0] @ k[0].T, (q[0] @ query_HH) @ (k[0] @ key_HH).T
    assert torch.allclose(products, again, atol=1e-3 * products.abs().max())
    energy = (q @ query_HH).square().mean((0, 1)) * (k @ key_HH).square().mean((0, 1))
    by_pair = energy[: SIZE // 2] + energy[SIZE // 2 :]
    assert (by_pair.diff() > 0).all()
    # The slow half alone gives nearly the products, as the best approximation of half the rank does.
    slow = (torch.arange(SIZE) % (SIZE // 2)) >= SIZE // 4
    short = (q[0] @ query_HH * slow) @ (k[0] @ key_HH).T
    values = torch.linalg.svdvals(products)
    assert (short - products).norm() < 1.5 * values[SIZE // 2 :].square().sum().sqrt()


def test_distance_biases_turned_by_rope_give_the_scores_of_the_positions():
    config = ModelConfig(hidden_size=16, num_attention_heads=1, num_key_value_heads=1, head_dim=SIZE)
    cos_T1H, sin_T1H = (table[:64, None] for table in rotary_tables(config))
    places = torch.arange(64.0)
    # Learned positions whose score falls with the distance: exp(-d / 8) - d / 100, for d up to 63.
    wanted_TT = torch.exp(-(places[:, None] - places).abs() / 8) - (places[:, None] - places) / 100
    left, scale, right = torch.linalg.svd(wanted_TT)
    q, k = (left * scale.sqrt())[None, :, :32] * 2, (right.T * scale.sqrt())[None, :, :32] * 2
    query_H, key_H = distance_biases(q, k, ANGLES)
    rows = torch.zeros(1, 64, 1, SIZE)
    got_TT = (rotate(rows + query_H, cos_T1H, sin_T1H) @ rotate(rows + key_H, cos_T1H, sin_T1H).mT)[0]
    turned_q, turned_k = (rotate(rows + bias, cos_T1H, sin_T1H)[0, :, 0] for bias in (query_H, key_H))
    got_TT, wanted_TT = turned_q @ turned_k.T, q[0] @ k[0].T
    last = got_TT[-1] - got_TT[-1].mean(), wanted_TT[-1] - wanted_TT[-1].mean()
    assert (last[0] - last[1]).square().mean().sqrt() < 0.1 * last[1].std()
    # A score depends on the distance alone.
    assert torch.allclose(got_TT[20, 10], got_TT[50, 40], atol=1e-4)
