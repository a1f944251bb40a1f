"""Everything that is held about one person, to be handed over to them.

1. A `part` is one kind of rows: `profile` has what the person is and said, `sent` what they were
   sent and what happened, `told` what others wrote about them.
2. `source` puts the parts behind each other, so that an export (followers/exports) goes through
   them slice by slice, in the background and encrypted.
3. `archive` writes the finished export as a zip file: JSON for programs, pages for people.

followers/privacy/copies.py begins one and gives it away. A test asks of every table that points at
a follower whether it has a part here.
"""
