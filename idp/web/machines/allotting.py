"""The places in status lists that this worker has at hand."""

from idp.oauth.status_list.allotment import Allotments
from idp.web.boundary import Service


def allotments_of(service: Service) -> Allotments:
    """Return this worker's places."""
    made = service.parts.get("allotments")
    if made is None:
        made = service.parts["allotments"] = Allotments()
    assert isinstance(made, Allotments)
    return made
