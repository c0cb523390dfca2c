"""Text read in the wrong encoding comes out as it was meant, and no other text is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.extract.mojibake import mended

SIGNS = st.text(st.sampled_from("abc 12.5%,\n£©«½é ü ñ À ÷–—‑“”’‘…•€™⅛≥"))


@given(SIGNS, st.sampled_from(["latin-1", "cp1252"]))
def test_text_read_in_the_wrong_encoding_is_as_it_was_meant(meant, wrong):
    data = meant.encode()
    # Windows-1252 leaves five bytes without a character; what reads it makes them control characters
    broken = "".join(bytes([byte]).decode(wrong, "ignore") or chr(byte) for byte in data)
    assert mended(broken) == meant


@pytest.mark.parametrize(
    "text",
    [
        "Das macht „Spaß“, das Café” und Übergröße.",
        "Le château, la bâtisse, l’âge et « À propos »",
        "SÃO PAULO, MÂNCORA",
        "“naïveté”… 5–6 £7 ½",
    ],
)
def test_what_was_read_rightly_stays(text):
    assert mended(text) == text
