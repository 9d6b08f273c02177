"""What a worker tells sellers and buyers beside the answers: notices of bids, signed webhooks."""

import os
import random
import time

from exchange.domain.ids import LeadId
from exchange.notify.batching import Batches
from exchange.notify.batching import Limits as NoticeLimits
from exchange.notify.keeping import keep
from exchange.notify.outbox import Outbox
from exchange.notify.recipients import Recipients
from exchange.notify.sender import Limits as SenderLimits
from exchange.notify.sender import Means, Sender
from exchange.notify.webhook import told
from exchange.story.story import Story
from exchange.worker.base import Base
from exchange.worker.ground import Ground


def open_notices(ground: Ground, outbox: Outbox) -> Batches:
    """Return who takes notices of bids; the last of them are written when the worker closes."""
    notices = Batches(
        outbox,
        ground.metrics,
        now_us=ground.now_us,
        entropy=os.urandom,
        limits=NoticeLimits(every_s=ground.settings.notices_every_s),
    )
    ground.stack.push_async_callback(notices.flush)
    ground.beside(notices.run())
    return notices


def open_sender(base: Base, outbox: Outbox, story: Story) -> None:
    """Deliver what waits for sellers and buyers, beside the sales."""
    ground, known = base.ground, Recipients()

    async def told_of(topic: str, at_us: int, lead_id: LeadId) -> bytes | None:
        standing = await story.standing(lead_id)
        return None if standing is None else told(topic, at_us, standing)

    means = Means(
        wire=base.buyers.wire,
        endpoints=base.buyers.endpoints,
        recipients=lambda: known.of(base.present()),
        told=told_of,
        observer=ground.metrics,
        now_us=ground.now_us,
        monotonic=time.monotonic,
        luck=random.random,
    )
    limits = SenderLimits(
        look_every_s=ground.settings.webhook_look_every_s,
        timeout_s=ground.settings.webhook_timeout_s,
    )
    sender = Sender(outbox, means, limits)
    ground.stack.push_async_callback(sender.close)
    ground.beside(sender.run())
    ground.beside(keep(outbox, ground.metrics.messages_wait, ground.now_us))
