"""PURE: how far a client has read a scan's log, exactly, although a lower id may be committed after a higher one.

An id says nothing about what a reader has seen: transactions commit in any order. PostgreSQL's own snapshot does: it
names which transactions had ended when it was taken. Each event carries its transaction, so "not seen yet" is
"not visible in that snapshot" (pg_visible_in_snapshot in SQL, `Snapshot.sees` here).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SNAPSHOT = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):((?:[0-9]{1,18},)*[0-9]{1,18})?")
_SHOWN_OPEN = 32  # transactions in one id, at most; 18 digits each would fill a proxy's header space
_LONGEST = 2 * 19 * (_SHOWN_OPEN + 4)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions had ended: all below `xmin`, none from `xmax` on, in between those not in `open`.

    The text form is PostgreSQL's pg_snapshot.
    """

    xmin: int
    xmax: int
    open: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """From `xmin:xmax:open,open`; raises ValueError."""
        match = _SNAPSHOT.fullmatch(text)
        if match is None:
            raise ValueError("no snapshot")
        xmin, xmax = int(match[1]), int(match[2])
        still_open = frozenset(int(word) for word in (match[3] or "").split(",") if word)
        if not 0 < xmin <= xmax or any(not xmin <= xid < xmax for xid in still_open):
            raise ValueError("no snapshot")
        return cls(xmin, xmax, still_open)

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(str(xid) for xid in sorted(self.open))}"

    def sees(self, xid: int) -> bool:
        """Whether what the transaction wrote was visible."""
        return xid < self.xmin or (xid < self.xmax and xid not in self.open)

    def includes(self, other: Snapshot) -> bool:
        """Whether everything visible in the other is visible here."""
        return self.xmax >= other.xmax and all(xid in other.open for xid in self.open if xid < other.xmax)

    def shortened(self) -> Snapshot:
        """The same, or one that sees a little less where very many transactions were open."""
        return self if len(self.open) <= _SHOWN_OPEN else Snapshot(self.xmin, self.xmin)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a scan's log: all that `seen` sees was read, and of what `batch` sees that up to `last` (an id).

    None sees nothing. Reading goes batch by batch, within one by id; so a place is exact at every event.
    """

    seen: Snapshot | None = None
    batch: Snapshot | None = None
    last: int = 0

    @classmethod
    def parse(cls, text: str) -> Position:
        """From the id of an event in a stream; raises ValueError."""
        if len(text) > _LONGEST + 40:
            raise ValueError("no position")
        last, _, rest = text.partition(".")
        seen, dot, batch = rest.partition(".")
        if not dot or not re.fullmatch("[0-9]{1,18}", last):
            raise ValueError("no position")
        return cls(Snapshot.parse(seen) if seen else None, Snapshot.parse(batch), int(last))

    def __str__(self) -> str:
        seen = "" if self.seen is None else self.seen.shortened()
        batch = "" if self.batch is None else self.batch.shortened()
        return f"{self.last}.{seen}.{batch}"

    def after(self, event_id: int, batch: Snapshot) -> Position:
        """The place behind this event of the batch."""
        return Position(self.seen, batch, event_id)

    def finished(self) -> Position:
        """The place behind the whole batch."""
        return Position(self.batch) if self.batch is not None else self

    def foreign_to(self, now: Snapshot) -> bool:
        """Whether it comes from another server's count of transactions (a database restored from a dump)."""
        return any(known is not None and known.xmax > now.xmax for known in (self.seen, self.batch))


START = Position()
