"""The pages: batches and the new-batch form, one batch, the leaderboard over all of them."""

from optimization_service.pages.batches import router

__all__ = ["router"]
