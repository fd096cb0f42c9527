"""Targets, folds, estimators, metrics and artefacts: arrays in, arrays out."""
