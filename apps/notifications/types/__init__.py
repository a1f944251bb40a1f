"""Message types: what they ask of their data, and how staff change them.

1. `edit`: staff make and change types, and say which template speaks for one.
2. `data_schema`: the JSON Schema of a type's data is checked once, and then every call by it.
   `schema_effort` refuses schemas that would take too long, `schema_texts` matches patterns and
   formats, `schema_faults` says what is wrong.

Doors: `edit`, `data_schema`.
"""
