"""Calls that come in and calls that go out: whose they are, and where they may lead.

1. `client_ip`: the address a request came from, believing only the proxies we know.
2. `host_name`: the ASCII form of a name, by one rule for all.
3. `public_ip`: whether an IP address is of the open internet.
4. `outside_http`: a call to a stranger's address, which must be public.
5. `turns`: the line in which requests wait for their turn, and what is refused; `in_turn` is the
   WSGI application around the site's.
"""
