"""Whom we may write to, how they are reached, and what they said about it.

- `people/` adds, changes, tags and finds followers and their addresses.
- `fields/` defines custom fields, and judges the values that a follower's metadata has of them.
- `consent/` keeps what they said about being written to, and judges by it.
- `devices/` holds what registers or proves itself: apps and browsers, phone numbers, webhooks.
- `imports/` brings in many at once from a file.
- `exports/` takes many out; `privacy/` erases one.
- `addresses` and `profile_fields` say which values an address and a field may have.

Rows come from `models`. An import contract keeps the order: imports and devices stand on people,
people on fields and consent, and all on the models.
"""
