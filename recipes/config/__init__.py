"""verl's configuration for each profile, layered on verl's own `ppo_trainer`. What a recipe sets comes on top."""
