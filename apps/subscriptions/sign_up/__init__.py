"""Signing up: the form of a site, on our page and on any other, and the page that confirms.

1. `join` shows a form and takes it, as a page or for the script of another page (`embed`). A
   browser works a little for each sign-up (`work`); where no script runs, a second page asks for
   one more press. The answer is the same for every address.
2. `mail` asks the mailbox, once an hour at most.
3. `confirm` is where its owner says yes: a GET changes nothing, the link may be opened again, and
   one that is too old sends a new one.
"""
