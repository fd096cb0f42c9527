"""The composition root: the command line, the local supervisor that starts everything, the demo, the doctor.

For notebooks: `barsmith.features("SPY")` returns built features as a data frame.
"""

from barsmith.frames import features

__all__ = ["features"]
