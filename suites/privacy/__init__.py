"""Made-up secrets in training items and in passages: what each way of customising a model gives away."""
