"""Looking at the policy of the card: plan, profile, simulate, top."""
