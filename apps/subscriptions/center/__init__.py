"""The subscription center: one page where a follower says everything about being written to.

1. `preferences` shows the page and takes what is sent; `page` prepares what it shows.
2. `intent` compares the switches with how the page showed them, `forms` and `rhythm_form` check the
   fields. Only what was moved counts.
3. `choices` saves it in one transaction, and gives the signed way back.
4. `phone` and `phone_code` prove a number by a code; `email` asks the mailbox of another address
   (../claims); `browsers` connects a browser for web push.
"""
