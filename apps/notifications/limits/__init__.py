"""How fast messages may leave: by notification, account, day and receiving domain.

1. `rates`: what a rate is, and its row, which all processes share.
2. `warmup`: how much a new sender may send on a day.
3. `grant`: a claim asks how many may leave by the rates of its notification and account and by
   the day's volume; what does not leave is given back.
4. `domains`: of email, which rows may go by the pace of their domains; staff set that pace, and
   answers teach it.

Doors: `grant`, `domains`.
"""
