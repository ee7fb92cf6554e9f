"""Sealed keys in the ledger: put there before a phone gets the key, wiped when it is proved."""

from collections.abc import Collection

from sqlalchemy import delete, select

from usbprov.ledger.chain import Write
from usbprov.ledger.records import Sealed
from usbprov.ledger.schema import sealed


def put(write: Write, job: int, row: Sealed) -> None:
    """Keep a sealed key; it takes the place of another one of the same job."""
    wipe(write, [job])
    write.insert(sealed, {"job": job, **vars(row)}, aside=["data"])


def wipe(write: Write, jobs: Collection[int]) -> None:
    """Remove the sealed keys of jobs; the chain tells that they are gone.

    What is removed is overwritten in a file. On a server it is not: there the server's own tidying
    (VACUUM) does that later.
    """
    found = write.execute(select(sealed.c.id).where(sealed.c.job.in_(jobs))).scalars().all()
    if not found:
        return
    write.execute(delete(sealed).where(sealed.c.id.in_(found)))
    for number in sorted(found):
        write.note(sealed, number, None)
    write.wiped = True
