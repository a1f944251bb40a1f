"""Who a follower is: fields, addresses and tags.

1. Somebody says what a follower is like: a `profile.Profile`, checked field by field.
2. `contacts` adds the follower, changes the one who is there, or finds out which is meant.
3. `in_bulk` adds or changes many with a dozen statements, while nobody else's write waits for long.
4. `further_addresses` adds an email address or a number beside the primary one.
   `address_claims` asks the mailbox of one first.
5. `tagging` puts tags on and takes them off, one follower or a million.
6. `search` finds followers for lists, pages and commands.

All modules are doors. Each is the only writer of its rows.
"""
