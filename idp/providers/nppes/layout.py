"""The column layout of the public NPPES file: 330 columns (NPPES Data Dissemination, Readme, data file layout).

Columns are found by their names in the header, so that their order and columns not read may change.
"""

from itertools import chain


def _address(kind: str) -> tuple[str, ...]:
    return (
        f"Provider First Line Business {kind} Address",
        f"Provider Second Line Business {kind} Address",
        f"Provider Business {kind} Address City Name",
        f"Provider Business {kind} Address State Name",
        f"Provider Business {kind} Address Postal Code",
        f"Provider Business {kind} Address Country Code (If outside U.S.)",
        f"Provider Business {kind} Address Telephone Number",
        f"Provider Business {kind} Address Fax Number",
    )


NPI = "NPI"
ENTITY = "Entity Type Code"
REPLACEMENT = "Replacement NPI"
EIN = "Employer Identification Number (EIN)"
ORGANIZATION = "Provider Organization Name (Legal Business Name)"
LAST, FIRST, MIDDLE = "Provider Last Name (Legal Name)", "Provider First Name", "Provider Middle Name"
SUFFIX, CREDENTIAL = "Provider Name Suffix Text", "Provider Credential Text"
OTHER_ORGANIZATION = "Provider Other Organization Name"
MAILING, LOCATION = _address("Mailing"), _address("Practice Location")
ENUMERATED, UPDATED = "Provider Enumeration Date", "Last Update Date"
REASON, DEACTIVATED, REACTIVATED = "NPI Deactivation Reason Code", "NPI Deactivation Date", "NPI Reactivation Date"
SUBPART, PARENT, PARENT_TIN = (
    "Is Organization Subpart",
    "Parent Organization LBN",
    "Parent Organization TIN",
)
TAXONOMIES = tuple(
    (
        f"Healthcare Provider Taxonomy Code_{n}",
        f"Provider License Number_{n}",
        f"Provider License Number State Code_{n}",
        f"Healthcare Provider Primary Taxonomy Switch_{n}",
    )
    for n in range(1, 16)
)

COLUMNS: tuple[str, ...] = (
    NPI,
    ENTITY,
    REPLACEMENT,
    EIN,
    ORGANIZATION,
    LAST,
    FIRST,
    MIDDLE,
    "Provider Name Prefix Text",
    SUFFIX,
    CREDENTIAL,
    OTHER_ORGANIZATION,
    "Provider Other Organization Name Type Code",
    "Provider Other Last Name",
    "Provider Other First Name",
    "Provider Other Middle Name",
    "Provider Other Name Prefix Text",
    "Provider Other Name Suffix Text",
    "Provider Other Credential Text",
    "Provider Other Last Name Type Code",
    *MAILING,
    *LOCATION,
    ENUMERATED,
    UPDATED,
    REASON,
    DEACTIVATED,
    REACTIVATED,
    "Provider Gender Code",
    "Authorized Official Last Name",
    "Authorized Official First Name",
    "Authorized Official Middle Name",
    "Authorized Official Title or Position",
    "Authorized Official Telephone Number",
    *chain.from_iterable(TAXONOMIES),
    *chain.from_iterable(
        (
            f"Other Provider Identifier_{n}",
            f"Other Provider Identifier Type Code_{n}",
            f"Other Provider Identifier State_{n}",
            f"Other Provider Identifier Issuer_{n}",
        )
        for n in range(1, 51)
    ),
    "Is Sole Proprietor",
    SUBPART,
    PARENT,
    PARENT_TIN,
    "Authorized Official Name Prefix Text",
    "Authorized Official Name Suffix Text",
    "Authorized Official Credential Text",
    *(f"Healthcare Provider Taxonomy Group_{n}" for n in range(1, 16)),
    "Certification Date",
)
"""Every column of the file, in its order."""

READ: tuple[str, ...] = (
    NPI,
    ENTITY,
    REPLACEMENT,
    EIN,
    ORGANIZATION,
    LAST,
    FIRST,
    MIDDLE,
    SUFFIX,
    CREDENTIAL,
    OTHER_ORGANIZATION,
    *MAILING,
    *LOCATION,
    ENUMERATED,
    UPDATED,
    REASON,
    DEACTIVATED,
    REACTIVATED,
    *chain.from_iterable(TAXONOMIES),
    SUBPART,
    PARENT,
    PARENT_TIN,
)
"""The columns taken over; each must be in the header. Fax numbers and officials are not kept."""
