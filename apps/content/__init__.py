"""What we say: templates with versions and languages, layouts, and their rendering.

From an author's words to a reader's:

1. `drafts` creates templates, edits drafts, publishes and restores versions; `layouts` keeps the
   frames around emails, `stock` installs the library that comes with the product.
2. `lint` finds all that keeps a version from being published, as `problems`, and checks the data
   that a caller gives.
3. `read_html` reads tags as browsers do, for all that follows: `mail_html` moves styles into tags,
   `mail_text` makes the text of HTML, `links` numbers the web addresses of an email.
4. `render` parses a version once per process and writes it for one reader after the other.
5. `liquid` is the language itself, with every limit set.

`channel_parts` declares what a message consists of on each channel. All modules are doors; of
`liquid` other apps need `plain_data` only.
"""
