"""Addresses that nobody types in a form: they register themselves, or are proven first.

- `push_devices`: an app or a browser registers itself, is seen again, and goes when its service
  calls it dead. A person may have a hundred; each gets every message.
- `phone_codes`: a follower names a number, gets a code there and types it; then it is theirs.
- `webhooks`: a web address of a program, with a secret to sign by. `webhook_calls` books how the
  calls went, and switches off what failed for days.

All modules are doors.
"""
