"""The table of symptoms: data only, one file an area; among the rows of a code the order counts."""

from usbprov.engine.diagnosis.model import Cause, Symptom
from usbprov.engine.diagnosis.table import (
    answers,
    cable,
    credentials,
    finding_servers,
    network,
    publishing,
    registrar,
    trust,
)

SYMPTOMS: tuple[Symptom, ...] = (
    *network.SYMPTOMS,
    *answers.SYMPTOMS,
    *trust.SYMPTOMS,
    *credentials.SYMPTOMS,
    *publishing.SYMPTOMS,
    *registrar.SYMPTOMS,
    *cable.SYMPTOMS,
    *finding_servers.SYMPTOMS,
)

CAUSES: dict[str, Cause] = {cause.id: cause for row in SYMPTOMS for cause in row.causes}
"""Every cause by its id."""
