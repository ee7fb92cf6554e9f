"""The head of the ledger's chain, held as by a writer that does not come to its end."""

from sqlalchemy import select

from usbprov.ledger.chain import CHAIN, Write
from usbprov.ledger.schema import heads


def hold_head(write: Write) -> None:
    """Keep it locked until the transaction ends: nobody else can append."""
    write.execute(select(heads.c.number).filter_by(name=CHAIN).with_for_update()).scalar_one()
