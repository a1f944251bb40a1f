"""A further email address, or another one in place of the old: its mailbox is asked first.

1. The follower asks for it in the subscription center, or staff or a program do
   (followers/people/address_claims).
2. `mail` writes to the address, past the books: those write to addresses of followers, and this is
   not one yet.
3. `pages` is where its owner says yes. A GET changes nothing, the link may be opened and pressed
   again, and one that is too old sends a new one. The address that was used, and the one that is
   used now, are both told.
4. `way_back` is where whoever reads the old one takes it back, for a week.
"""
