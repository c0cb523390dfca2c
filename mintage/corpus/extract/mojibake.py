"""Text that was UTF-8 and was read as Latin-1 or Windows-1252, as it was meant: "bankâ€™s" is "bank’s".

Only what no language writes is mended: Ã, Â before a sign, and â before a character that Windows-1252 has
beyond Latin-1 or a control character. "Spaß“" and "café”…" are valid UTF-8 by chance, and stay.
"""

from __future__ import annotations

import re

# what the bytes 0x80 to 0x9F become: characters of Windows-1252, or control characters
BYTES = {ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)): byte for byte in range(0x80, 0xA0)}
LOW = "\x80-\x9f" + "".join(map(chr, BYTES))
MOJIBAKE = re.compile(f"Ã[{LOW}\xa0-\xbf]|Â[\xa0-\xbf]|â[{LOW}][{LOW}\xa0-\xbf]")


def mended(text: str) -> str:
    """The text with what was read in the wrong encoding as it was meant."""
    return MOJIBAKE.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    return bytes(BYTES.get(ord(character), ord(character)) for character in match[0]).decode()
