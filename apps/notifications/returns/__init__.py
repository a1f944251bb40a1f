"""Mails that come back: bounces and complaints, booked on the delivery that they are about.

1. `receive`: one mail as it came in. It is read (`apps.channels.returned`), matched to its delivery
   by the signed name in its return address or in the links of the copy that came back, and booked.

Door: `receive`.
"""
