"""One class per noun: `Batches` are asked for, `Rounds` are their jobs, `Leaderboard` and `Studies` read the rows."""

from optimization_service.use_cases.batches import Batches, BatchView, Started, Wish
from optimization_service.use_cases.leaderboard import Leaderboard
from optimization_service.use_cases.rounds import Rounds
from optimization_service.use_cases.studies import Studies, Study

__all__ = ["BatchView", "Batches", "Leaderboard", "Rounds", "Started", "Studies", "Study", "Wish"]
