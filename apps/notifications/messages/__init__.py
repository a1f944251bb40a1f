"""A delivery as the message its channel hands over.

1. `row`: a delivery that a sender holds, as plain values; made by the million.
2. `person`: what a template may know about whom it speaks to.
3. `links`: the signed links that a message carries.
4. `message`: the row in the person's language, as the message of its channel.
5. `web_copy`: a message that was sent, as a web page shows it.

Doors: all five.
"""
