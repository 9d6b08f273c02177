"""What a worker learns beside the sales: how many people look alike, and what buyers are worth."""

import os

from exchange.anonymity.census import Census
from exchange.learning.learner import Learner
from exchange.ledger.learning import LearningBooks
from exchange.worker.base import Base


def open_census(base: Base, every_s: float) -> Census:
    """Count people this often, for as long as the worker is open."""
    ground = base.ground
    census = Census(base.books.connections, ground.vault, base.present, ground.now_us, os.urandom)
    ground.beside(census.run(every_s))
    return census


async def open_learner(base: Base, books: LearningBooks) -> Learner:
    """Return who learns from the books: it has looked once, and looks again now and then."""
    learner = Learner(books, base.present, base.ground.now_us)
    await learner.look()
    base.ground.beside(learner.run(base.ground.settings.learn_every_s))
    return learner
