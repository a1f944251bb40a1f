"""What was sent, to be read on the web.

1. `view` shows one mail to whoever holds the link that stood in it.
2. `framed` keeps a mail in its frame: a page that can do nothing.
"""
