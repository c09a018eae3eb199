"""The faces to prefetch: those the user is likely to look at next. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fkp_studio.document.session import Session

AHEAD = 256  # how far to look for the next incomplete face


def neighbours(session: Session) -> list[int]:
    """Ids of the faces around the current one in the gallery's order and the next incomplete ones, likeliest first."""
    order, store = session.order, session.store
    at = session.place(session.sample_id)
    if store is None or at < 0:
        return []
    near = [at + step for step in (1, -1, 2, 3, -2) if 0 <= at + step < len(order)]
    ids = [int(order[i]) for i in near]
    index = store.index()
    ahead = order[at + 1 : at + 1 + AHEAD]
    rows = np.searchsorted(index.ids, ahead)
    ids += [int(i) for i in ahead[index.missing[rows] > 0][:2]]
    return list(dict.fromkeys(ids))
