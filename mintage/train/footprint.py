"""Memory of a training step by its parts, in bytes a process: arithmetic over what the loop keeps alive.

A step is fullest at one of five moments: while the loss is computed (all activations, no gradients of layers
yet), in the backward pass of the last layer, in that of the first (the gradients of all others), at the
embedding at its end (all gradients, no activations), or in the optimizer. The sums follow the operations of
`mintage/model` and `mintage/train` one by one, where nothing is compiled; bench/memory.py measures the same
steps and writes the ratios down.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass

from mintage.model.config import ModelConfig
from mintage.train.objectives.accelerated import rows_at_a_time
from mintage.train.objectives.next_token import CHUNK
from mintage.train.optimizers import matrices_at_a_time
from mintage.train.parallel import WHOLE_GRADIENTS
from mintage.train.settings import TrainSettings

FLOAT32 = 4
BFLOAT16 = 2
# Of the head on a GPU (objectives/accelerated.py), bytes for each logit that exists at a time: logits and
# their gradient in bfloat16 where one kernel makes these; otherwise also what is between them, in float32.
LOGIT = {True: 2 * BFLOAT16, False: BFLOAT16 + 5 * FLOAT32 + 1}
GATHERED = 2  # blocks of other processes' rows that are held at a time: the one at work and the next


@dataclass(frozen=True)
class Footprint:
    """Bytes of one process at the fullest moment of a step.

    Attributes:
        weights: master weights, this process's share; the tables of positions.
        copies: weights gathered from other processes, and weights in lower precision.
        gradients, optimizer: gradients, and the optimizers' state, of this process's share; gradients not
            yet shared.
        activations: what the forward pass keeps for the backward pass.
        logits: the logits that exist at a time, and the gradients of the hidden states and of the head.
        temporary: intermediate results of one layer's backward pass, of the embedding, or of the optimizer.
        moment: which moment it is.
    """

    weights: int
    copies: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    temporary: int
    moment: str

    @property
    def total(self) -> int:
        """The sum of the parts."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """The parts by their names."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "moment"}


def footprint(
    config: ModelConfig,
    settings: TrainSettings,
    rows: int,
    context: int,
    *,
    processes: int = 1,
    threads: int = 1,
    cuda: bool = False,
    memory: int | None = None,
) -> Footprint:
    """The fullest moment of a step over `rows` sequences of `context` tokens.

    Args:
        rows: of the whole batch; each process takes its share of every micro-batch.
        processes: that share the parameters, gradients and optimizer state.
        threads: of a CPU that share a micro-batch, each with gradients and activations of its own.
        cuda: on a GPU; "auto" precision is then bfloat16.
        memory: bytes of a process's device, by which sharded training decides what it keeps whole; None is
            more than enough.
    """
    together = min(settings.micro_batch or rows, rows)
    accumulated = together < rows
    micro_rows = -(-together // processes)
    threads = min(threads, micro_rows)
    tokens = micro_rows * context
    narrow = settings.precision == "bfloat16" or (settings.precision == "auto" and cuda)
    width = BFLOAT16 if narrow else FLOAT32

    whole = FLOAT32 * config.parameter_count()
    share = -(-whole // processes)
    in_layers = sum(r * c * n for (r, c), n in matrices(config).items())
    head = FLOAT32 * config.vocab_size * config.hidden_size
    tied = config.tie_word_embeddings
    block = (whole - (head if tied else 2 * head)) // config.num_hidden_layers
    outside = whole - block * config.num_hidden_layers  # the embedding, the head and the last norm
    keeps = processes == 1 or whole <= (memory or whole * 8) * WHOLE_GRADIENTS

    # Narrow copies of weights: a layer keeps them from its forward to its backward pass.
    low_layer = BFLOAT16 * in_layers // config.num_hidden_layers * threads if narrow else 0
    low = 0 if settings.activation_checkpointing else low_layer * config.num_hidden_layers
    gathered = 0 if processes == 1 else whole if keeps else outside + GATHERED * block
    # Gradients: of earlier micro-batches (`before`), and those that are not yet shared out (`flying`).
    before = (whole if keeps else share) if accumulated else 0
    flying = 0 if processes == 1 else 2 * GATHERED * block

    weights, state = share + tables(config), optimizer_state(config, settings) // processes
    # A CPU's threads keep the logits of a few rows from step to step; a GPU takes many, and frees them.
    kept = 0 if cuda else FLOAT32 * config.vocab_size * min(CHUNK, tokens // threads) * threads
    at_once = config.vocab_size * min(rows_at_a_time(config.vocab_size), tokens)
    passing_logits = LOGIT[settings.compile] * at_once + head // 2 if cuda else 0  # and the head in bfloat16
    stream = FLOAT32 * config.hidden_size * tokens
    layer, last = layer_activations(config, width, context, cuda) * tokens, last_activations(config) * tokens
    layers = config.num_hidden_layers * (stream if settings.activation_checkpointing else layer)
    again = layer - stream if settings.activation_checkpointing else 0  # its input is there already
    largest = width * max(r * c for r, c in matrices(config)) * threads
    passing = layer_temporaries(config, width) * tokens + largest

    at_loss = Footprint(
        weights,
        low + gathered,
        before,
        state,
        layers + last,
        kept + passing_logits + head * threads + 2 * stream,
        0,
        "the loss",
    )
    at_last_layer = Footprint(
        weights,
        (low or low_layer) + gathered,
        before + flying,
        state,
        layers + again,
        kept + head * threads + stream,
        passing,
        "the backward pass of the last layer",
    )
    # The whole gradients of the layers and, of the head, the one that waits for the embedding's; with it,
    # where tied, a second from the embedding and their sum, or only the rows of the tokens that came.
    by_rows = tied and not cuda and processes == 1  # see team.py
    waiting = 1 if by_rows else 3 if tied else 2
    layer_gradients = whole - (head if tied else 2 * head)
    if processes == 1 or (keeps and accumulated):
        present = (whole if accumulated else layer_gradients) + (threads - 1) * layer_gradients
        first = (0 if accumulated else block) + (threads - 1) * block  # what the first layer has yet to give
    else:
        present, first = share + flying, 0
    at_first_layer = Footprint(
        weights,
        low_layer + gathered,
        present - first,
        state,
        layer,
        kept + head * threads + stream,
        passing,
        "the backward pass of the first layer",
    )
    at_embedding = Footprint(
        weights,
        gathered,
        present,
        state,
        0,
        kept,
        waiting * head * threads + 2 * stream,
        "the backward pass of the embedding",
    )
    at_update = Footprint(
        weights,
        0,
        share,
        state,
        0,
        kept,
        update_temporaries(config, settings, cuda, processes),
        "the update",
    )
    return max(
        (at_loss, at_last_layer, at_first_layer, at_embedding, at_update), key=lambda moment: moment.total
    )


def matrices(config: ModelConfig) -> Counter[tuple[int, int]]:
    """Shapes (rows, columns) of the layers' matrices, and how many of each the model has."""
    hidden, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    if config.layout == "gpt2":
        shapes = [(hidden, 3 * hidden), (hidden, hidden), (hidden, inner), (inner, hidden)]
    else:
        shapes = [(queries, hidden), (keys, hidden), (keys, hidden), (hidden, queries)]
        gates = 1 if config.layout == "arcee" else 2
        shapes += gates * [(inner, hidden)] + [(hidden, inner)]
    return Counter(shapes * config.num_hidden_layers)


def tables(config: ModelConfig) -> int:
    """Bytes of what is neither trained nor saved: cosines and sines of every position."""
    if config.layout == "gpt2":
        return 0
    return 2 * FLOAT32 * config.max_position_embeddings * config.head_dim


def optimizer_state(config: ModelConfig, settings: TrainSettings) -> int:
    """Bytes of the optimizers' state: two moments of every parameter for AdamW, one for Muon's matrices."""
    muon = settings.optimizer.name == "muon"
    inner = sum(r * c * n for (r, c), n in matrices(config).items()) if muon else 0
    return FLOAT32 * (2 * config.parameter_count() - inner)


def update_temporaries(config: ModelConfig, settings: TrainSettings, cuda: bool, processes: int) -> int:
    """Bytes that the optimizer takes and gives back. Fused AdamW takes none. Muon takes, for the matrices of
    one shape that it stacks at a time: the scaled gradients, the updates, these stacked, two iterates, and
    two small squares; iterates and squares in bfloat16 on a GPU. Of several processes each has the first two
    of its rows, and the others of the matrices that are its own, as they came from the others and put
    together besides."""
    if settings.optimizer.name == "adamw":
        return 0
    groups: Counter[tuple[int, int]] = Counter()
    for (r, c), number in matrices(config).items():
        groups[min(r, c), max(r, c)] += number
    width = BFLOAT16 if cuda else FLOAT32
    stages = 1 if processes == 1 else 3
    stacked = {(r, c): min(n, matrices_at_a_time(r * c, processes)) for (r, c), n in groups.items()}
    return max(
        2 * FLOAT32 * r * c * number // processes
        + -(-number // processes) * (stages * FLOAT32 * r * c + 2 * width * (r * c + r * r))
        for (r, c), number in stacked.items()
    )


def layer_activations(config: ModelConfig, width: int, context: int, cuda: bool) -> int:
    """Bytes a token that a layer keeps for its backward pass; `width`: bytes of a product's numbers."""
    hidden, inner = config.hidden_size, config.intermediate_size
    heads, key_heads = config.num_attention_heads, config.num_key_value_heads
    queries, keys = heads * config.head_dim, key_heads * config.head_dim
    narrow = width < FLOAT32
    gated = config.layout in ("qwen3", "llama")
    stream = 2 * FLOAT32 * hidden  # what both norms read
    norms = (4 if config.layout == "gpt2" else 2) * FLOAT32  # their means and inverses
    # Queries, keys, values and what attention gives, and its log-normalisers.
    attention = width * (2 * queries + 2 * keys) + FLOAT32 * heads
    if config.layout == "qwen3":  # queries and keys before their norms, too
        attention += width * (queries + keys + heads + key_heads)
    # What the projections read: one tensor for all, or under autocast a copy for each.
    projections = (1 if config.layout == "gpt2" else 3) + (2 if gated else 1)
    inputs = width * hidden * (projections if narrow else 2)
    # Gated: gate, its activation, up, their product. Plain: before and after the activation; of ReLU, which
    # needs only its result, one.
    feed_forward = width * inner * (4 if gated else 1 if config.hidden_act == "relu" else 2)
    total = stream + norms + attention + inputs + feed_forward
    if config.dropout:
        total += dropout_activations(config, width, context, cuda)
    return total


def dropout_activations(config: ModelConfig, width: int, context: int, cuda: bool) -> int:
    """Bytes a token that dropout adds to a layer: what is kept of both halves' outputs, a byte a number on a
    GPU. A CPU's attention kernel knows no dropout: there every weight exists, is dropped and is kept."""
    if cuda:
        return 2 * config.hidden_size
    weights = config.num_attention_heads * context
    return 2 * width * config.hidden_size + 3 * width * weights


def last_activations(config: ModelConfig) -> int:
    """Bytes a token kept outside the layers: what the final norm reads, and the ids."""
    return FLOAT32 * (config.hidden_size + 1) + 16


def layer_temporaries(config: ModelConfig, width: int) -> int:
    """Bytes a token at the fullest point of a layer's backward pass, beyond what is kept: gradients of the
    feed-forward's inner numbers less what is free by then, and of the residual stream."""
    gated = config.layout in ("qwen3", "llama")
    return width * (2 if gated else 1) * config.intermediate_size + 2 * FLOAT32 * config.hidden_size
