"""Many mails of one version as one body with merge fields,
which the ESP fills in for each recipient.

What arrives must be what a single send would have brought. So there is no merging where the mails
hold anything that the ESP could take for one of its merge fields.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from apps.channels.messages import Mail
from apps.channels.pieces import Pieces, ReaderToken, Static


@dataclass(frozen=True, slots=True)
class Syntax:
    """How an ESP writes a merge field: `before`, the name, `after`.

    `opening` must not occur in a mail (in any case of letters). `shy`:
    what would mean something else right beside one.
    """

    before: str
    after: str
    opening: str
    shy: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    subject: str
    text: str
    html: str
    data: list[
        dict[str, str]
    ]  # in the order of the mails: name of the field -> the recipient's own


def shape(mail: Mail) -> Hashable:
    """Equal for mails that can share a body: the same static pieces in the same places.

    None: shares with none.
    """
    if isinstance(mail.html, Pieces):
        shared: list[Static | None] = []
        for piece in mail.html.pieces:
            if isinstance(piece, Static):
                shared.append(piece)
            else:
                shared.append(None)
        return (mail.sender, *shared)
    if mail.html:
        return None
    return (mail.sender,)


def mergeable(mail: Mail, syntax: Syntax) -> bool:
    """Nothing in it looks like a merge field,
    and no field would stand next to what changes its meaning.
    """
    said = (
        mail.subject,
        mail.text,
        str(mail.html),
        mail.to_name,
        mail.sender.name,
        mail.sender.address,
        mail.message_id,
        *mail.headers.values(),
    )
    if any(syntax.opening in words.lower() for words in said):
        return False
    pieces: Sequence[str] = ()
    if isinstance(mail.html, Pieces):
        pieces = mail.html.pieces
    return not any(_disturbs(one, other, syntax) for one, other in pairwise(pieces))


def _disturbs(one: str, other: str, syntax: Syntax) -> bool:
    """Whether one of two neighbours is a field and the other touches it with a letter that
    changes its meaning.
    """
    if isinstance(one, Static) == isinstance(other, Static):
        return False
    if isinstance(one, Static):
        edge = one[-1:]
    else:
        edge = other[:1]
    return bool(edge) and edge in syntax.shy


def weight(mail: Mail) -> int:
    """Most bytes of JSON that the recipient's own part takes."""
    own = [mail.subject, mail.text, *mail.headers.values()]
    if isinstance(mail.html, Pieces):
        tokens = set()  # each is one field, wherever it stands
        for piece in mail.html.pieces:
            if isinstance(piece, ReaderToken):
                tokens.add(piece)
            elif not isinstance(piece, Static):
                own.append(piece)
        own += tokens
    return sum(map(as_json, own))


def as_json(text: str) -> int:
    """Most bytes that a text takes in JSON: six for a letter outside ASCII."""
    letters = len(text)
    if not text.isascii():
        letters *= 6
    return letters + text.count('"') + text.count("\n") + text.count("\\")


def merge(mails: Sequence[Mail], syntax: Syntax) -> Merged:
    """Merge mails that are `mergeable` and have the same shape."""
    names: dict[tuple[str, ...], str] = {}

    def field(values: tuple[str, ...]) -> str:
        """The merge field for these values, one a mail; what is the same for all needs none."""
        if len(set(values)) == 1:
            return values[0]
        return f"{syntax.before}{names.setdefault(values, f'f{len(names)}')}{syntax.after}"

    html: list[str] = []
    bodies = [mail.html for mail in mails if isinstance(mail.html, Pieces)]
    if bodies:
        for place, piece in enumerate(bodies[0].pieces):
            if isinstance(piece, Static):
                html.append(piece)
            else:
                html.append(field(tuple(body.pieces[place] for body in bodies)))
    subject = field(tuple(mail.subject for mail in mails))
    text = field(tuple(mail.text for mail in mails))
    data = [{name: values[row] for values, name in names.items()} for row in range(len(mails))]
    return Merged(subject, text, "".join(html), data)
