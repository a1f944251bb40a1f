"""Who acts, and what they did.

- `staff` creates and changes accounts of staff; `keys` issues, revokes and checks API keys.
- `permissions` says what a role or a scope may do, and guards staff pages.
- `actors` names the Actor of a request.
- `audit` keeps every fact as a row; `history` tells it in words.
- `ledger` chains these rows and the consent records by hash, so that a change of one is found.
"""
