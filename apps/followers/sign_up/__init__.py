"""Who comes by themselves: forms, and how somebody who typed an address becomes a follower.

1. Staff make a form (`edit`): its questions (`questions`), the message types people get, and its
   words. Each change of the words is a wording of its own, kept as proof.
2. Somebody fills it in (`ask`). That is a sign-up, and no more: nobody knows yet whose address it
   is. The answer is the same for every address, for nobody is looked up.
3. A task asks the mailbox (`begin`): it finds the follower or makes one whose address is
   unconfirmed, and says when the mail may go.
4. Whoever reads the mailbox confirms (`confirm`). Now, and not before, the answers, the types and
   the tags are the follower's; where the form asks for approval, when staff have decided.
5. What nobody confirmed is forgotten (`forget`).
"""
