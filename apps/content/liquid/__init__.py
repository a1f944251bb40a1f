"""The template language staff write in: Liquid, limited, and fast for the next reader.

1. `plain_data` copies values into what templates may see.
2. `parse` reads a source; `limits` bound its loops, filters and time; `filters` know languages.
3. `nodes` makes python-liquid's nodes write pieces, quickly.
4. `compiled` writes the template as Python; what it can't write is left to the nodes.
5. `blank_lines` tidies the text that comes out.
6. `complaints` says in the reader's language what python-liquid finds wrong.

`undocumented` names what python-liquid does not promise. Doors: `parse`, `plain_data`,
`limits.FAILURES`, `blank_lines`, `complaints`.
"""
