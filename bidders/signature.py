"""Whether a request comes from the exchange: Standard Webhooks, by their own library."""

import base64
from collections.abc import Iterable, Mapping

from standardwebhooks.webhooks import (
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)


class SecretError(ValueError):
    """A signing secret is `whsec_` and base64, as `exchange keys create` prints it."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Signatures:
    """Accepts what was signed with one of the secrets within the last five minutes.

    Two secrets at a time let a buyer rotate them. Without any secret everything is accepted.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self.webhooks = [read_secret(secret) for secret in secrets]

    def accept(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Return whether the body is signed, and neither long ago nor in the future."""
        return not self.webhooks or any(
            verified(webhook, headers, body) for webhook in self.webhooks
        )


def read_secret(secret: str) -> Webhook:
    """Return the verifier of one secret; raises `SecretError`, which does not repeat it."""
    try:
        return Webhook(secret)
    except (EmptyWebhookSecretError, ValueError):
        raise SecretError from None


def decoded(secret: str) -> bytes:
    """Return the bytes of a secret, as they key signatures and hashes; raises `SecretError`."""
    read_secret(secret)
    return base64.b64decode(secret.removeprefix("whsec_") + "==")


def verified(webhook: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether this one secret signed the body."""
    try:
        webhook.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        # ValueError: headers that are no signature at all, or a body that is no text.
        return False
    return True
