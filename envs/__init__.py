"""Medical task environments: what the policy sees."""
