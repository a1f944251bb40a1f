"""Records of the form `name=value; name=value` (RFC 6376 3.2), which DKIM, DMARC and BIMI share."""


class BadTags(ValueError):
    """No list of tags; the text is the part that is none."""


def tags_of(record: str) -> dict[str, str]:
    """Read a record into its tags, names in lower case. Raises BadTags, for a name that stands
    twice, too.
    """
    tags: dict[str, str] = {}
    for part in record.split(";"):
        if not part.strip():
            continue
        name, sign, value = part.partition("=")
        name = name.strip().lower()
        if not sign or not name or name in tags:
            raise BadTags(part.strip())
        tags[name] = value.strip()
    return tags
