"""What many tests share: one thread, no hub, the folder of real text, and a recipe that trains in a
second."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import hypothesis
import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORDS = ("revenue", "income", "margin", "bank", "policy", "inflation", "growth", "rose", "fell", "cash")
# How fast an example is drawn and tried says how busy the machine is.
hypothesis.settings.register_profile(
    "mintage", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("mintage")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real text, benchmarks and recordings."""
    folder = Path(os.environ.get("MINTAGE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real text is not at {folder}; set MINTAGE_SHARED_DATA to test on it")
    return folder


def tiny_documents(count: int = 60) -> list[dict[str, str]]:
    """Dated rows of made-up words, one a month from January 2015."""
    rows = []
    for number in range(count):
        words = [WORDS[(number * 7 + position * (number % 5 + 1)) % len(WORDS)] for position in range(80)]
        date = f"{2015 + number // 12}-{number % 12 + 1:02d}-15"
        rows.append({"id": f"d{number}", "date": date, "text": f"Report {number}: " + " ".join(words) + "."})
    return rows


def write_tiny_recipe(folder: Path, data: Path | None = None) -> Path:
    """Write a recipe on 60 small documents of 2015 to 2019 (or on `data`), known until the end of 2018."""
    if data is None:
        data = folder / "data.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in tiny_documents()))
    recipe = {
        "name": "tiny",
        "as_of": "2018-12-31",
        "corpus": {
            "sources": [
                {
                    "files": {
                        "name": "reports",
                        "path": str(data),
                        "fields": {"text": "text", "native_id": "id"},
                        "available_at": [{"field": "date", "zone": "UTC"}],
                        "licence": "CC0-1.0",
                        "use": "ship",
                    }
                }
            ]
        },
        "tokenizer": {"vocab_size": 300},
        "model": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "max_position_embeddings": 64,
        },
        "pretrain": {
            "plan": {"phases": [{"steps": 12, "context": 32, "batch": 4, "mix": {"reports": 1.0}}]},
            "train": {"checkpoint_every": 6, "evaluate_every": 6, "log_every": 1, "threads": 1},
        },
        "evaluate": {"prompts": ["The bank"], "sample_tokens": 8},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> Path:
    """The tiny recipe in a folder of its own."""
    return write_tiny_recipe(tmp_path)
