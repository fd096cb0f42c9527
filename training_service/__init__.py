"""Fits models on purged walk-forward folds, measures what helps out of sample, and freezes the artefact."""
