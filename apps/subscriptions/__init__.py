"""The public pages: what followers see and say without an account, behind signed links.

1. A message carries a link. `one_click` opts out of what it was about; `center/` is the page where
   everything can be said. Whoever lost the link asks for it (`ask_link`, `mail_link`).
2. `public` reads the link, finds the follower, speaks their language, and makes the proof of what
   is said. `wording` holds the sentences that depend on data.
3. `tracking` answers the links and the image of a mail.
4. `reading/` shows what was sent once more: a mail in a browser, a list with reasons, the public
   archive.
5. `privacy/` hands people all that is held about them, and erases them, after a mailed code.
6. `sms_answers` takes what SMS providers post: STOP, START, and reports on messages.

Nothing imports these pages but the project's URLs, its middleware and the queue.
"""
