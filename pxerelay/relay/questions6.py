"""Questions of our own to servers of DHCPv6: replies go to whoever asked. `questions` has those of DHCPv4."""

from __future__ import annotations

from typing import NamedTuple

from pxerelay.relay.decision6 import Arrival6, Decision6
from pxerelay.relay.questions import AnyQuestions
from pxerelay.relay.transactions6 import Transaction6, transaction
from pxerelay.wire import packet6, relayed6
from pxerelay.wire.facts6 import Facts6


class ReceivedReply6(NamedTuple):
    """A RELAY-REPL with the answer to a question, valid only during the call that passes it on.

    `facts` are those of the server's own message in it, `decision` is what the relay would do with it if
    nobody had asked.
    """

    arrival: Arrival6
    facts: Facts6
    decision: Decision6


def heard6(arrival: Arrival6, decision: Decision6) -> ReceivedReply6 | None:
    """Return a message as a `ReceivedReply6`; None if it is no RELAY-REPL with a whole message inside."""
    inside = relayed6.innermost(arrival.message)
    if packet6.message_type(arrival.message) != packet6.RELAY_REPL or inside is arrival.message:
        return None
    return ReceivedReply6(arrival, Facts6(inside), decision)


class Questions6(AnyQuestions[Transaction6, ReceivedReply6]):
    """Those of DHCPv6, known by xid and DUID of the client in whose name they are asked."""

    def take(self, reply: ReceivedReply6 | None) -> bool:
        """Pass a reply to whoever asked; return whether it was taken, and so is not to be relayed."""
        return reply is not None and self._take(transaction(reply.facts), reply)
