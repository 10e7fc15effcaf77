"""Experiments: stages, launch, evaluation."""
