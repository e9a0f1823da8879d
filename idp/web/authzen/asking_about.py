"""About whom may a caller ask? A service about anybody its app serves; a person's token about that person.

About somebody else only where the person may see that organisation's access (`access.view` there), decided as
any other question and recorded.
"""

from idp.entitlements.asking import Decider
from idp.entitlements.question import AskingApp, Question
from idp.errors import NotEntitled
from idp.web.bearer import Caller


async def may_ask(caller: Caller, decider: Decider, app: AskingApp, question: Question) -> None:
    """Refuse a person's token a question about somebody else, unless that is theirs to see. Raises NotEntitled."""
    if caller.account_id is None or question.account_id == caller.account_id:
        return
    asked = Question(
        account_id=caller.account_id,
        entitlement="access.view",
        provider_id=question.provider_id,
        app=app,
        line=question.line,
        sid=caller.session_id,
    )
    [decision] = await decider.answer([asked])
    if not decision.allowed:
        raise NotEntitled("With a person's token you may ask about that person.", code="not_about_others")
