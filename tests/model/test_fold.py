from __future__ import annotations

import pytest
import torch

from mintage.model import huggingface
from mintage.model.fold import embed, fold, normalise, trace
from tests.model.models import LAYOUTS, random_model, random_tokens


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name.startswith("gpt2")])
def test_folded_model_has_the_logits_of_transformers_own_class(layout, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = random_model(LAYOUTS[layout])
    huggingface.save(model, tmp_path)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    tokens_RT = random_tokens(3, 32)
    folded = fold(model.state_dict(), model.config)
    with torch.no_grad():
        x_RTD = embed(folded, tokens_RT)
        for block in folded.blocks:
            x_RTD = trace(folded, block, x_RTD).after
        logits = folded.head(normalise(x_RTD, folded.epsilon))
        assert (logits - theirs(tokens_RT).logits).abs().max() < 1e-4
    assert x_RTD.mean(-1).abs().max() < 1e-5
