"""What surveys of both families have in common: each of the given servers is asked, and who answered what.

The mapping is not consulted. Each request has an xid of its own: so an answer belongs to the server that was
asked, whatever address it comes from.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from pxerelay.daemon.own_requests import answers_to, happens
from pxerelay.policy.servers import Address
from pxerelay.relay.questions import AnyQuestions, Key, Reply
from pxerelay.relay.survey_request import MOST, ServerQuery, Survey, SurveyError

_ASKER = "survey"

_MOST_ANSWERS = 8
"""Answers that are returned of each server at most."""

_AT_ONCE = 2 * MOST
"""Requests of surveys that may be on their way at a time."""

Going = TypeVar("Going")
"""A message and where it goes."""


@dataclass(frozen=True)
class Request(Generic[Key, Going]):
    """A request to a server: its transaction, our address that it carries, and what is sent."""

    transaction: Key
    address: Address
    going: Going


@dataclass
class _Asked:
    """What came of a request. `through_us` is whether it went as from a client interface.

    `sent` is when it was, in monotonic seconds; `answered` is whether nothing more is waited for.
    """

    through_us: bool
    told: dict[str, Any]
    answered: bool = False
    sent: float = 0.0
    answers: list[dict[str, Any]] = field(default_factory=list)


class AnySurvey(ABC, Generic[Key, Reply, Going]):
    """One survey of servers of one family."""

    xid_octets: ClassVar[int]
    """Octets of a transaction id."""

    address_name: ClassVar[str]
    """What our address in a request is called."""

    def __init__(self, questions: AnyQuestions[Key, Reply], survey: Survey) -> None:
        self._questions = questions
        self._survey = survey
        self._complete = asyncio.Event()
        self._waiting: list[_Asked] = []

    async def ask(self) -> list[dict[str, Any]]:
        """Send a request to each server, and return who answered what in time, in the order of the errands.

        Ends as soon as each server has answered. Raises SurveyError if too much is being asked already.
        """
        survey = self._survey
        if self._questions.of(_ASKER) + len(survey.errands) > _AT_ONCE:
            raise SurveyError("others are asking already; try again in a moment")
        loop = asyncio.get_running_loop()
        asked: list[_Asked] = []
        requests: list[tuple[_Asked, Request[Key, Going]]] = []
        for errand in survey.errands:
            xid = os.urandom(self.xid_octets)
            one = self._begun(errand, xid)
            asked.append(one)
            request = self._request(errand, xid)
            if isinstance(request, str):
                one.told["error"] = request
                continue
            one.told[self.address_name] = str(request.address)
            requests.append((one, request))
        self._waiting = [one for one, _ in requests]
        takers = {request.transaction: partial(self._take, one) for one, request in requests}
        with answers_to(self._questions, _ASKER, takers):
            for one, request in requests:
                one.sent = loop.time()
                one.told["failures"] = self._send(request.going)
                one.answered = bool(one.told["failures"])  # nothing to wait for
            if not all(one.answered for one in self._waiting):
                await happens(self._complete, survey.seconds)
        return [one.told for one in asked]

    def _begun(self, errand: ServerQuery, xid: bytes) -> _Asked:
        answers: list[dict[str, Any]] = []
        told = {
            "server": str(errand.server),
            "interface": errand.interface,
            self.address_name: None,
            "xid": xid.hex(),
            "error": None,
            "failures": [],
            "answers": answers,
        }
        return _Asked(errand.interface is not None, told, answers=answers)

    def _take(self, one: _Asked, reply: Reply) -> bool:
        if len(one.answers) < _MOST_ANSWERS:
            milliseconds = (asyncio.get_running_loop().time() - one.sent) * 1000
            one.answers.append({**self._plain(reply), "milliseconds": round(milliseconds, 1)})
        one.answered |= self._is_taken(reply, through_us=one.through_us)
        if all(other.answered for other in self._waiting):
            self._complete.set()
        return True

    @abstractmethod
    def _request(self, errand: ServerQuery, xid: bytes) -> Request[Key, Going] | str:
        """Return a request with an xid and how it goes to its server, or why it can't."""

    @abstractmethod
    def _send(self, going: Going) -> list[str]:
        """Send it, and return what failed."""

    @abstractmethod
    def _is_taken(self, reply: Reply, *, through_us: bool) -> bool:
        """Whether a client would have got a reply; where it is asked from none of ours, whether we may."""

    @abstractmethod
    def _plain(self, reply: Reply) -> dict[str, Any]:
        """Return what a reply says, as plain data."""
