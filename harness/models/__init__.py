"""Model backends: opened by reference, answered by one interface (`harness.api.Model`)."""
