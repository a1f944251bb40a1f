"""The newsletter everybody sends: about 10 kB as MIME, 6 values of the reader's, a loop,
a condition, 10 links.

Its words are Liquid and a Django template at once,
so that the product and those beside it send the very same letter.
"""

SUBJECT = "{{ follower.first_name }}, spring has arrived"
SENDER = ("News", "news@news.example.org")
LINKS = [
    f"https://news.example.org/articles/2026/{n}/a-rather-typical-name-of-article-{n}"
    for n in range(1, 9)
]
LINKS += ["https://shop.example.org/spring?from=newsletter&month=may", "https://example.org/about"]

_PARAGRAPH = (
    "Spring has come to our gardens, and with it a new season of walks, talks and workshops. This"
    " month we look at how small changes in watering, soil and distance make a difference that can"
    " be seen, and three of our members tell what they have tried at home. "
)
_CELL = (
    "font-family:Helvetica,Arial,sans-serif;font-size:15px;line-height:22px;color:#333333;"
    "padding:12px 24px"
)
_LIST = (
    (
        "{% for item in follower.metadata.items %}<li>{{ item.name }}: {{ item.price }}</li>\n{%"
        " endfor %}"
    ),
    "{% for item in follower.metadata.items %}* {{ item.name }}: {{ item.price }}\n{% endfor %}",
)
_GREETING = "Hello {{ follower.name }}, greetings to everybody in {{ follower.metadata.city }}!"
_MEMBER = (
    '{% if follower.metadata.plan == "pro" %}Thank you for being with us since {{'
    " follower.metadata.since }}.{% else %}Become a member today.{% endif %}"
)
_CLOSE = "You get this as {{ follower.email }}."


def html() -> str:
    rows = [f"<h1>{_GREETING}</h1>", f"<p>{_MEMBER}</p>"]
    for number, link in enumerate(LINKS[:9], start=1):
        words = _PARAGRAPH
        if number in (2, 6):
            words = _PARAGRAPH * 2
        rows.append(
            f"<h2>Article number {number}</h2>\n<p>{words}</p>\n"
            f'<p><a href="{link.replace("&", "&amp;")}" style="color:#00aa66">Read the whole'
            " article</a></p>"
        )
    rows.append(f"<ul>{_LIST[0]}</ul>")
    rows.append(
        f'{_CLOSE} <a href="{LINKS[9]}">About us</a> <a href="{{{{ links.preferences }}}}">Your'
        ' settings</a> <a href="{{ links.unsubscribe }}">Unsubscribe</a><br>{{ site.name'
        " }}, {{ site.address }}"
    )
    body = "\n".join(f'<tr><td style="{_CELL}">{row}</td></tr>' for row in rows)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Spring has'
        ' arrived</title></head>\n<body style="margin:0;background:#f4f4f4">\n<table'
        f' role="presentation" width="600" align="center">\n{body}\n</table>\n</body></html>\n'
    )


def text() -> str:
    parts = [_GREETING, _MEMBER]
    parts += [
        f"Article number {number}\n{_PARAGRAPH[:100]}...\n{link}"
        for number, link in enumerate(LINKS[:9], start=1)
    ]
    parts += [
        _LIST[1],
        f"{_CLOSE}\n{LINKS[9]}\n{{{{ links.preferences }}}}\n{{{{ links.unsubscribe }}}}",
    ]
    return "\n\n".join([*parts, "{{ site.name }}, {{ site.address }}"]) + "\n"


# The reader with the number `n`, in SQL, for INSERT … SELECT from generate_series.
READER_NAME = "'Zoë' || mod(n, 31) || ' O''Hara' || mod(n, 17)"
# half of them at three large domains, the rest at a hundred
READER_EMAIL = """'person' || n || '@'
    || CASE WHEN mod(n, 2) = 0 THEN 'mail' || mod(n, 3) ELSE 'dest' || mod(n, 101) END
    || '.example.net'"""
READER_METADATA = """jsonb_build_object(
    'city', (array['São Paulo', 'Köln', 'Москва', 'Oslo'])[mod(n, 4) + 1],
    'since', (2010 + mod(n, 15))::text,
    'plan', (array['free', 'pro', 'team'])[mod(n, 3) + 1], 'items', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', 'Seed packet ' || k, 'price', k || '.' || mod(n, 90) + 10 || ' €'))
        FROM generate_series(1, 5) k))"""
