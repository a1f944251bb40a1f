"""People's right to their own data: how somebody is erased, and stays so.

1. Whoever may asks for it (`erase`): at once nothing is sent to the person any more, and each of
   their addresses leaves a keyed hash behind (`consent/tombstones`).
2. A task takes the person's rows away as soon as no sender holds one (`remove`). What else has
   rows of theirs is named in `ERASES` of the wiring.
3. Then it goes through what others wrote about the person, slice by slice (`search`), as `SEARCHED`
   of the wiring says, and forgets what it has searched for.
4. Imports, the API and staff can't add the person again. Whoever signs up and confirms the address
   lifts the marks (`sign_up/confirm`).
"""
