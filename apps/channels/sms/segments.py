"""How many segments a text message is paid for,
and which characters make it dearer (3GPP TS 23.038 and 23.040).
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Without the escape character, which is no letter of anybody's.
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE = frozenset("\f^{}\\[~]|€")  # an escape goes before each, in the same segment

GSM_7 = "GSM-7"
UCS_2 = "UCS-2"
# Units of a message that is one segment, and of each segment of a longer one,
# which gives six bytes to its place in it.
ALONE = {GSM_7: 160, UCS_2: 70}
TOGETHER = {GSM_7: 153, UCS_2: 67}


@dataclass(frozen=True, slots=True)
class Segments:
    """Size of a text; `units` are septets of GSM-7 or 16-bit units of UCS-2."""

    encoding: str
    count: int
    units: int
    left: int  # units that still fit into the last segment
    outside: tuple[
        str, ...
    ]  # the characters GSM-7 lacks, each once: they are why a segment holds 70 and not 160


def segments(text: str) -> Segments:
    """What this text costs."""
    outside = tuple(
        dict.fromkeys(
            letter for letter in text if letter not in GSM_BASIC and letter not in GSM_DOUBLE
        )
    )
    if outside:
        encoding = UCS_2
        widths = [1 + (letter > "\uffff") for letter in text]
    else:
        encoding = GSM_7
        widths = [1 + (letter in GSM_DOUBLE) for letter in text]
    units = sum(widths)
    if units <= ALONE[encoding]:
        return Segments(encoding, min(units, 1), units, ALONE[encoding] - units, outside)
    count = 0
    room = 0
    for width in widths:
        if (
            width > room
        ):  # what takes two units is never divided: the last one of a segment may stay empty
            count = count + 1
            room = TOGETHER[encoding]
        room -= width
    return Segments(encoding, count, units, room, outside)


def cost_of(parts: Mapping[str, str]) -> Segments | None:
    """Size of a text by its parts; None for one with a picture, which is no SMS but an MMS."""
    if parts.get("media"):
        return None
    return segments(parts.get("body", ""))
