"""What we say SCIM clients can do here: users with the few facts we keep, and how they are searched."""

from typing import Annotated

from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    Email,
    ETag,
    External,
    Filter,
    Name,
    Pagination,
    Patch,
    Reference,
    Required,
    Resource,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

MOST = 200
"""People in one answer."""


class User(Resource):  # type: ignore[type-arg]
    """A person as their organization describes them: the minimum (T-28); no password, no groups, no entitlements."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The name the organization knows the person by."""
    name: Name | None = None
    display_name: str | None = None
    locale: str | None = None
    active: bool | None = None
    """False turns the person's login here off."""
    emails: list[Email] | None = None
    """Where the organization reaches the person; never used to find an account."""


def provider() -> ScimProvider:
    """Return the description all three discovery endpoints publish (RFC 7644 4)."""
    config = ServiceProviderConfig(
        documentation_uri=None,
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=MOST),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        pagination=Pagination(
            index=True,
            cursor=False,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=100,
            max_page_size=MOST,
        ),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="OAuth 2.0 access token",
                description="A token of the client credentials grant with the scope scim",
                spec_uri=Reference[External]("https://www.rfc-editor.org/rfc/rfc6750"),
                primary=True,
            )
        ],
    )
    # Attributes we do not keep are dropped, as RFC 7644 3.3 allows: nothing we were not asked to know is stored.
    return ScimProvider([User], config=config, policy=ScimPolicy(unknown=ScimPolicy.Unknown.ignore))
