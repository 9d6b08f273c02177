"""A scripted exchange for sellers: the exchange's own doors, with a story chosen by ZIP code.

What is read, checked and refused, and how keys and repetitions are kept, is the exchange's own
code; only what becomes of a lead is looked up in `scenes`, and the answer may go astray on its way.
"""

from bidders.rehearsal.rehearsal import Rehearsal, Stage
from bidders.rehearsal.scenes import OTHERWISE, SCENES, Scene

__all__ = ["OTHERWISE", "SCENES", "Rehearsal", "Scene", "Stage"]
