"""The first eight addresses, at the root and with the field names that they had at first.

Programs that were written for them go on as they are. Each is a translation of what `v1` does, by
the same acts, keys and scopes:

1. `endpoint` is what they share: plain arrays, and the way to pages for people.
2. `followers` and `messages` have the addresses; `urls` lists them.

They are left out of the OpenAPI document, so that nobody begins with them: docs/messaging.md
describes them, `v1` has all of it and more.
"""
