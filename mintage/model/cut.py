"""A smaller model cut out of a GPT-2, in the Arcee layout: RMSNorm, a plain feed-forward, and RoPE, which
takes the place of learned positions during the first steps of training (see easing.py).

What some text shows decides what stays: the layers without which the loss rises most, the heads and neurons
that write most into the residual stream, and the directions in which it varies most (SliceGPT,
arXiv:2401.15024). What stays then takes the place of what is gone: from the first layer to the last, each
matrix is fitted by least squares, on what the cut model computes so far, to what the whole model computes.

Letters of the shapes: D width of the base, C width of the cut, N heads, H head dimension, F neurons, R rows
of text, T tokens of a row.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mintage.model.config import ModelConfig
from mintage.model.feed_forward import ACTIVATIONS
from mintage.model.fold import Folded, Map, Trace, activate, attention, embed, fold, normalise, trace

RIDGE = 1e-4  # of a fit, in shares of the mean square of its features
JUDGED = 4096  # tokens on which the loss without each layer is taken


def cut(
    tensors: Mapping[str, Tensor], base: ModelConfig, config: ModelConfig, tokens_RT: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """The tensors of a cut model, by transformers' names, for the base's vocabulary, and its learned
    positions (P, C).

    Args:
        tensors: the GPT-2's, by transformers' names.
        config: the shape to cut to, with the base's head dimension, its activation or one close to it, and
            nothing larger than in the base.
        tokens_RT: text that shows what matters, of at most the base's positions.
    """
    model = fold(tensors, base)
    kept = layers(model, tokens_RT, config.num_hidden_layers)
    streams = residual_streams(model, tokens_RT, kept)
    basis_DC = directions(model, streams, config.hidden_size)
    table_VC, positions_PC = model.tokens_VD @ basis_DC, model.positions_PD @ basis_DC
    x_RTC = table_VC[tokens_RT] + positions_PC[: tokens_RT.shape[1]]
    cut_tensors = {"model.embed_tokens.weight": table_VC}
    for number, layer in enumerate(kept):
        whole = trace(model, model.blocks[layer], streams[number])
        maps, x_RTC = cut_attention(model, layer, whole, basis_DC, x_RTC, config)
        more, x_RTC = cut_feed_forward(model, layer, whole, streams[number + 1], basis_DC, x_RTC, config)
        ones = torch.ones(config.hidden_size)
        cut_tensors |= {f"model.layers.{number}.{name}": tensor for name, tensor in (maps | more).items()}
        cut_tensors[f"model.layers.{number}.input_layernorm.weight"] = ones
        cut_tensors[f"model.layers.{number}.post_attention_layernorm.weight"] = ones.clone()
    n_RTC = normalise(x_RTC, config.rms_norm_eps)
    n_RTD = normalise(streams[-1], model.epsilon)
    if config.tie_word_embeddings:
        cut_tensors["model.norm.weight"] = gains(table_VC, model.head.weight, n_RTC, n_RTD)
        cut_tensors["lm_head.weight"] = table_VC
    else:
        cut_tensors["model.norm.weight"] = torch.ones(config.hidden_size)
        back_CD = fit(n_RTC, n_RTD, Map(basis_DC.T, torch.zeros(base.hidden_size)), biased=False)
        cut_tensors["lm_head.weight"] = (back_CD.weight @ model.head.weight).T
    return {name: tensor.contiguous() for name, tensor in cut_tensors.items()}, positions_PC


def layers(model: Folded, tokens_RT: Tensor, count: int) -> list[int]:
    """The layers without which, each alone, the loss on a part of the text rises most."""
    few_RT = tokens_RT[: max(1, JUDGED // tokens_RT.shape[1])]
    streams = residual_streams(model, few_RT, list(range(len(model.blocks))))
    losses = []
    for left_out, x_RTD in enumerate(streams[:-1]):
        for block in model.blocks[left_out + 1 :]:
            x_RTD = trace(model, block, x_RTD).after
        # Row by row: the logits of a large vocabulary do not fit in memory at once.
        rows = zip(normalise(x_RTD, model.epsilon)[:, :-1], few_RT[:, 1:])
        losses.append(torch.stack([cross_entropy(model.head(n_TD), next_T) for n_TD, next_T in rows]).mean())
    return largest(torch.stack(losses), count).tolist()


def residual_streams(model: Folded, tokens_RT: Tensor, kept: list[int]) -> list[Tensor]:
    """The whole model's stream (R, T, D) before each of the layers that stay, and at the end."""
    x_RTD = embed(model, tokens_RT)
    streams = []
    for number, block in enumerate(model.blocks):
        if number in kept:
            streams.append(x_RTD)
        x_RTD = trace(model, block, x_RTD).after
    return [*streams, x_RTD]


def directions(model: Folded, streams: list[Tensor], width: int) -> Tensor:
    """An orthonormal basis (D, C) of the directions in which the normalised streams vary most."""
    square = sum(second_moment(normalise(x, model.epsilon)) for x in streams)
    assert isinstance(square, Tensor)
    return torch.linalg.eigh(square).eigenvectors[:, -width:].flip(1).float()


def second_moment(x: Tensor) -> Tensor:
    """The sum of the outer products of vectors with themselves."""
    flat = x.flatten(0, -2).double()
    return flat.T @ flat


def largest(scores: Tensor, count: int) -> Tensor:
    """The places of the `count` largest scores, in order."""
    return scores.topk(count).indices.sort().values


def fit(features: Tensor, target: Tensor, prior: Map, biased: bool) -> Map:
    """The map from `features` (..., in) to `target` (..., out) with the least squared error; directions that
    the features hardly show stay as in `prior`. Without `biased` its bias is 0."""
    x, y = features.flatten(0, -2).double(), target.flatten(0, -2).double()
    mean_x, mean_y = (x.mean(0), y.mean(0)) if biased else (torch.zeros_like(x[0]), torch.zeros_like(y[0]))
    x, y = x - mean_x, y - mean_y
    square, weight = x.T @ x, prior.weight.double()
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    weight = weight + torch.linalg.solve(square + ridge, x.T @ (y - x @ weight))
    return Map(weight.float(), (mean_y - mean_x @ weight).float())


def reader(source: Map, columns: Tensor, basis_DC: Tensor) -> Map:
    """A map that reads the whole stream, with the columns that stay, as one that reads the cut stream."""
    scale = (len(basis_DC) / basis_DC.shape[1]) ** 0.5  # both are normalised to mean square 1
    return Map(basis_DC.T @ source.weight[:, columns] * scale, source.bias[columns])


def writer(source: Map, rows: Tensor, basis_DC: Tensor) -> Map:
    """A map that writes to the whole stream, with the rows that stay, as one that writes to the cut one."""
    return Map(source.weight[rows] @ basis_DC, source.bias @ basis_DC)


def cut_attention(
    model: Folded, layer: int, whole: Trace, basis_DC: Tensor, x_RTC: Tensor, config: ModelConfig
) -> tuple[dict[str, Tensor], Tensor]:
    """The tensors of a layer's first half, and the cut stream after it."""
    block, biased = model.blocks[layer], config.attention_bias
    read_RTNH = whole.read.unflatten(-1, (-1, model.head_dim))
    writes = torch.stack(
        [
            (read_RTNH[:, :, head] @ weight_HD).square().sum()
            for head, weight_HD in enumerate(block.output.weight.split(model.head_dim))
        ]
    )
    heads = largest(writes, config.num_attention_heads)
    places = (heads[:, None] * model.head_dim + torch.arange(model.head_dim)).flatten()
    n_RTC = normalise(x_RTC, config.rms_norm_eps)

    def fitted(source: Map, target_RTNH: Tensor) -> Map:
        return fit(n_RTC, target_RTNH[:, :, heads].flatten(2), reader(source, places, basis_DC), biased)

    query = fitted(block.query, whole.query)
    key = fitted(block.key, whole.key)
    value = fitted(block.value, whole.value)
    q, k, v = (m(n_RTC).unflatten(-1, (-1, model.head_dim)) for m in (query, key, value))
    attended = attention(q, k, v)
    target = whole.middle @ basis_DC - x_RTC
    output = fit(attended, target, writer(block.output, places, basis_DC), biased)
    maps = {"q_proj": query, "k_proj": key, "v_proj": value, "o_proj": output}
    return linear(maps, "self_attn", biased), x_RTC + output(attended)


def cut_feed_forward(
    model: Folded,
    layer: int,
    whole: Trace,
    after_RTD: Tensor,
    basis_DC: Tensor,
    x_RTC: Tensor,
    config: ModelConfig,
) -> tuple[dict[str, Tensor], Tensor]:
    """The tensors of a layer's second half, and the cut stream after it.

    Args:
        after_RTD: the whole model's stream before the next layer that stays: what this half is to arrive at,
            in place of the layers between, too.
    """
    block, biased = model.blocks[layer], config.mlp_bias
    writes_F = activate(model, whole.inner).square().mean((0, 1)) * block.down.weight.square().sum(1)
    neurons = largest(writes_F, config.intermediate_size)
    n_RTC = normalise(x_RTC, config.rms_norm_eps)
    up = fit(n_RTC, whole.inner[..., neurons], reader(block.up, neurons, basis_DC), biased)
    active = ACTIVATIONS[config.hidden_act](up(n_RTC))
    target = after_RTD @ basis_DC - x_RTC
    down = fit(active, target, writer(block.down, neurons, basis_DC), biased)
    return linear({"up_proj": up, "down_proj": down}, "mlp", biased), x_RTC + down(active)


def linear(maps: dict[str, Map], module: str, biased: bool) -> dict[str, Tensor]:
    """Maps as the tensors of linear layers."""
    tensors = {f"{module}.{name}.weight": each.weight.T for name, each in maps.items()}
    return tensors | ({f"{module}.{name}.bias": each.bias for name, each in maps.items()} if biased else {})


def gains(table_VC: Tensor, head_DV: Tensor, n_RTC: Tensor, n_RTD: Tensor) -> Tensor:
    """The gains (C,) of the last norm with which a tied embedding gives the whole model's logits best, but
    for what all tokens of the vocabulary share, which no softmax sees."""
    table_VC, head_DV = table_VC - table_VC.mean(0), head_DV - head_DV.mean(1, keepdim=True)
    cross_DC = (n_RTD.flatten(0, 1).T @ n_RTC.flatten(0, 1)).double()
    square = (table_VC.T @ table_VC).double() * second_moment(n_RTC)
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    target = ((head_DV @ table_VC).T.double() @ cross_DC).diagonal()
    return torch.linalg.solve(square + ridge, target).float()
