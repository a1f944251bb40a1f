"""What was sent, to be read on the web.

1. `view` shows one mail to whoever holds the link that stood in it.
2. `framed` keeps a mail in its frame: a page that can do nothing.
3. `sent` tells a follower what they were sent and why, `receipt` what they agreed to; `words` has
   their sentences.
4. `archive` shows everybody what staff made public, and tells feed readers.
"""
